"""By how much a training multiplies the natural prior of each class: the product over all slots that bend it."""

from __future__ import annotations

import numpy as np

from rarebird.recipe.recipe import Recipe
from rarebird.recipe.stage_plans import Stage
from rarebird.slots.protocols import TargetStatistics
from rarebird.training.stage import class_weights, merged


def stage_prior_factor(
    recipe: Recipe, stage: Stage, targets: TargetStatistics, of_resampling: np.ndarray | None
) -> np.ndarray | None:
    """The product of the factors by which the slots multiply the natural prior in a stage.

    Args:
        recipe: What is trained.
        stage: The stage whose weights are kept; it may override the recipe's slots.
        targets: Of the training rows, after resampling.
        of_resampling: ``(n_classes,)`` by which resampling multiplied the classes' counts; None for regression.

    Returns:
        ``(n_classes,)`` of sum 1; None for regression, and where a slot leaves the prior of the logits unknown.
    """
    counts = targets.class_counts
    if counts is None or stage.normalize_head is not None:
        return None
    slots = merged(recipe, stage)
    if any(getattr(method, "bends_prior", False) for method in [*slots["augmentation"], *recipe.regularization]):
        return None
    factors = [
        of_resampling,
        slots["loss"].prior_factor(targets),
        slots["batch_sampling"].prior_factor(counts),
        np.ones(len(counts)) if stage.class_weight is None else class_weights(stage.class_weight, targets),
    ]
    if any(factor is None for factor in factors):
        return None
    product: np.ndarray = np.prod(factors, axis=0)
    normalized: np.ndarray = product / product.sum()
    return normalized


def resampling_factor(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """``(n_classes,)`` by which resampling multiplied the weighted counts; 1 for a class without rows, before or
    after."""
    known = (before > 0) & (after > 0)
    factor: np.ndarray = np.where(known, after, 1.0) / np.where(known, before, 1.0)
    return factor

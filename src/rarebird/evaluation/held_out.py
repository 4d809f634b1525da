"""From raw held-out outputs to calibrated probabilities and decisions; no row is scored by a network that trained on
it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rarebird.data.dataset import Dataset
from rarebird.data.row_counts import weighted_to
from rarebird.evaluation.cut_off import cut_off
from rarebird.evaluation.cut_offs import cut_off_counts
from rarebird.evaluation.decision_scores import decision_score
from rarebird.evaluation.held_outputs import Factors, HeldOut
from rarebird.evaluation.intervals import ClassPredictions
from rarebird.evaluation.result import Scores
from rarebird.evaluation.scoring import drawn, score, score_regression
from rarebird.metrics import names
from rarebird.model.chain import LEAST, Chain, apply_to_mean, probabilities
from rarebird.model.held_out_rows import HeldOutRows
from rarebird.model.model import Model
from rarebird.recipe.ensemble import AnyRecipe
from rarebird.recipe.recipe import Recipe
from rarebird.slots import methods
from rarebird.slots.decisions import DecisionRows, FittedDecision
from rarebird.slots.protocols import FittedCalibration

# Outputs to which calibrations are fitted, over all parts of a crossing: with many rows of many classes, a fit to half
# of them is as good, and costs seconds.
CROSSED_OUTPUTS = 2_000_000

FittedChain = list[tuple[str, FittedCalibration]]


@dataclass(frozen=True)
class CrossPredictions:
    """Predictions for rows, each by calibrations and a decision that were fitted on other rows.

    Attributes:
        outputs: ``(n, n_classes)`` calibrated probabilities under the natural prior.
        labels: ``(n,)`` decided codes; None where no decision was asked for.
    """

    outputs: np.ndarray
    labels: np.ndarray | None


# Fits a decision on held-out rows and their calibrated probabilities.
FitDecision = Callable[[HeldOut, np.ndarray], FittedDecision]


def cross_predict(
    recipe: Recipe,
    held: HeldOut,
    factors: Factors,
    parts: np.ndarray,
    fit_decision: FitDecision | None = None,
    target: tuple[HeldOut, np.ndarray] | None = None,
) -> CrossPredictions:
    """Calibrated predictions for held-out rows: for each part by calibrations (and a decision) fitted on all others.

    Calibration and decision are scored too, so they must not be fitted on the rows that score them. A single part is
    predicted by a fit on itself.

    Args:
        recipe: Its calibrations are fitted.
        held: Held-out rows of classes.
        factors: Per network, the factors by which its training multiplied the natural prior.
        parts: ``(n,)`` the part of each held-out row.
        fit_decision: Fits the decision on the other parts' rows and their probabilities; None: no labels.
        target: Rows to predict in place of the held-out rows, and ``(m,)`` the part of which each is treated as a row;
            None: the held-out rows.
    """
    if target is None:
        parts = merged(parts, held.outputs.shape[-1])
    rows, parts_of_rows = (held, parts) if target is None else target
    outputs = np.empty_like(rows.outputs)
    labels = None if fit_decision is None else np.empty(len(rows.y), dtype=np.int64)
    for part in np.unique(parts):
        in_part, predicted = parts == part, parts_of_rows == part
        others = held if in_part.all() else held.where(~in_part)
        chains = calibrate(recipe, others, factors)
        outputs[predicted] = apply_chains(rows.where(predicted), chains)
        if fit_decision is not None and labels is not None:
            decision = fit_decision(others, apply_chains(others, chains))
            labels[predicted] = decision(outputs[predicted])
    return CrossPredictions(outputs, labels)


def merged(parts: np.ndarray, n_outputs: int) -> np.ndarray:
    """``(n,)`` the parts, merged to fewer where their fits would be long; two stay two.

    Args:
        parts: ``(n,)`` int, the part of each row.
        n_outputs: Of a row.
    """
    place = np.cumsum(np.bincount(parts) > 0) - 1
    merged_parts: np.ndarray = place[parts] % max(2, CROSSED_OUTPUTS // max(len(parts) * n_outputs, 1))
    return merged_parts


def calibrate_mean(recipe: AnyRecipe, mean: np.ndarray, rows: Dataset) -> FittedChain:
    """Fit an ensemble's calibrations to the logarithm of the members' mean probabilities on held-out rows."""
    chain: FittedChain = []
    for method in recipe.calibration:
        logits = np.log(apply_to_mean(mean, chain).clip(LEAST))
        chain.append((type(method).name, method.fit(logits, rows.codes, rows.weights, None)))
    return chain


def scores(model: Model, data: Dataset) -> Scores:
    """Scores of a model, with intervals, on labelled rows that it has never seen."""
    return scores_of_outputs(model, data, model.outputs(data))


def scores_of_outputs(model: Model, data: Dataset, outputs: np.ndarray, labels: np.ndarray | None = None) -> Scores:
    """Scores of given outputs, ``(n, n_classes)`` probabilities or ``(n, 1)`` values, for these rows.

    Args:
        model: Its decision gives the labels, if none are given. If its recipe states a prior, rows are weighted to it.
        data: The rows.
        outputs: The outputs.
        labels: ``(n,)`` decided class codes.
    """
    assert data.y is not None
    if data.task == "regression":
        return score_regression(data.y, outputs[:, 0], weight=data.weight, group=data.group, seed=model.recipe.seed)
    labels = model.labels(outputs, data) if labels is None else labels
    data = weighted_to(data, model.prior) if model.recipe.prior else data
    return scores_of_labels(model, data.codes, outputs, labels, data.weight, data.group, model.multiples(data))


def scores_of_labels(
    model: Model,
    y: np.ndarray,
    outputs: np.ndarray,
    labels: np.ndarray,
    weight: np.ndarray | None,
    group: np.ndarray | None,
    multiple: np.ndarray | None = None,
) -> Scores:
    """Scores of probabilities and decided labels, and of the model's decision.

    Args:
        model: Its classes, positive class and decision count.
        y: ``(n,)`` true codes.
        outputs: ``(n, n_classes)`` probabilities.
        labels: ``(n,)`` decided codes.
        weight: ``(n,)`` sample weights; None for all ones.
        group: ``(n,)`` group labels; None where rows are independent.
        multiple: ``(n,)`` what the costs of the rows are multiplied by; None where all rows cost the same.
    """
    classes = model.classes
    positive = None if model.positive is None else classes.index(model.positive)
    seed = model.recipe.seed
    found = score(y, outputs, labels, classes, weight=weight, group=group, positive=positive, seed=seed)
    if model.decision is None:
        return found
    scored = ClassPredictions(y, outputs.astype(float), labels, weight, group, positive if len(classes) == 2 else None)
    counts = cut_off_counts(y, outputs, model.decision[1], classes, drawn(scored), cut_off(model))
    decided = decision_score(scored, model.decision[1], classes, multiple)
    return found.model_copy(update={"decision": decided, "cut_offs": counts})


def calibrate(recipe: Recipe, held: HeldOut, factors: Factors) -> list[FittedChain]:
    """Fit the recipe's calibrations in order.

    A `per_network` method (prior correction) is fitted for each network, with the prior factor of that training; all
    others are fitted on all held-out rows together. Probabilities are always under the natural prior: where the prior
    of a training is unknown, a scale and bias per class replaces the prior correction; where a training bent the prior
    and the recipe does not correct it, a prior correction is added in front.

    Returns:
        A chain of fitted calibrations per network.
    """
    chains: list[FittedChain] = [[] for _ in factors]
    for method in _calibration_methods(recipe, factors):
        name, current = type(method).name, _logits_after(held, chains)
        if method.per_network:
            for place, factor in enumerate(factors):
                rows = held.network == place
                chains[place].append((name, method.fit(current[rows], held.y[rows], held.weight[rows], factor)))
        else:
            fitted = method.fit(current, held.y, held.weight, None)
            for chain in chains:
                chain.append((name, fitted))
    return chains


def decide(
    recipe: AnyRecipe, rows: HeldOutRows, prior: np.ndarray, classes: tuple[str, ...], positive: str | None
) -> tuple[str, FittedDecision]:
    """Fit the decision on held-out probabilities for the recipe's metric.

    For a metric of probabilities, which no decision changes, the decision serves balanced accuracy.

    Args:
        recipe: Its decision and metric are used.
        rows: The held-out rows, with probabilities under `prior`.
        prior: ``(n_classes,)`` class frequencies.
        classes: The class labels.
        positive: The positive class of two.

    Raises:
        DataError: The decision does not fit the classes or the metric.
    """
    method: Any = recipe.decision
    check_decision(recipe, classes)
    code = None if positive is None else classes.index(positive)
    metric = names.decision_metric(metric_of(recipe, classes), code, classes)
    given = DecisionRows(rows.outputs, rows.y, rows.weight, metric, prior, classes, positive, rows.group)
    return type(method).name, method.fit(given)


def metric_of(recipe: AnyRecipe, classes: Sequence[str]) -> str:
    """The metric of labels that the decision serves."""
    return recipe.metric if names.metric(recipe.metric, classes).needs == "labels" else "balanced_accuracy"


def check_decision(recipe: AnyRecipe, classes: Sequence[str]) -> None:
    """Check that the recipe's decision fits the classes and the metric; done before anything is trained, too.

    Raises:
        DataError: It does not fit.
    """
    method: Any = recipe.decision
    if hasattr(method, "check"):
        method.check(metric_of(recipe, classes), classes)


def apply_chains(held: HeldOut, chains: Sequence[Chain]) -> np.ndarray:
    """``(n, n_classes)`` calibrated probabilities, each row by the chain of its network."""
    result = np.empty_like(held.outputs)
    for place, chain in enumerate(chains):
        rows = held.network == place
        if rows.any():
            result[rows] = probabilities(held.outputs[rows], chain)
    return result


def _logits_after(held: HeldOut, chains: Sequence[Chain]) -> np.ndarray:
    """The held-out logits after the calibrations so far, each row by the chain of its network."""
    current = held.outputs.copy()
    for place, chain in enumerate(chains):
        rows = held.network == place
        for _, calibration in chain:
            if rows.any():
                current[rows] = calibration(current[rows])
    return current


def _calibration_methods(recipe: Recipe, factors: Factors) -> list[Any]:
    """The recipe's calibrations, changed where they do not restore the natural prior; `calibrate` has the rule."""
    known = [factor for factor in factors if factor is not None]
    if len(known) < len(factors):
        replacement = methods.build("calibration", {"name": "class_scale_bias"})
        kept = [method for method in recipe.calibration if not method.per_network]
        return [replacement, *(method for method in kept if type(method) is not type(replacement))]
    is_bent = any(not np.allclose(factor, factor[0]) for factor in known)
    is_corrected = any(method.per_network for method in recipe.calibration)
    missing = [methods.build("calibration", {"name": "prior_correction"})] if is_bent and not is_corrected else []
    return [*missing, *recipe.calibration]

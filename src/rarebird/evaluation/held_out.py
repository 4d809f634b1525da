"""From held-out outputs to truthful probabilities and decisions; no row is scored by a network that trained on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset
from rarebird.evaluation.held_outputs import Factors, HeldOut, predict, prior_factors
from rarebird.evaluation.result import Scores
from rarebird.evaluation.scoring import score, score_regression
from rarebird.metrics import names
from rarebird.model.chain import LEAST, Chain, probabilities, recalibrated
from rarebird.model.model import Member, Model
from rarebird.recipe.ensemble import AnyRecipe
from rarebird.recipe.recipe import Recipe
from rarebird.slots import methods
from rarebird.slots.protocols import FittedCalibration, FittedDecision
from rarebird.training.cross_fit import CrossFit

FittedChain = list[tuple[str, FittedCalibration]]


@dataclass(frozen=True)
class Crossed:
    """Predictions for rows, each from calibrations and a decision that these rows had no part in.

    Attributes:
        outputs: ``(n, n_classes)`` calibrated probabilities under the natural prior.
        labels: ``(n,)`` decided codes; None where no decision was asked for.
    """

    outputs: np.ndarray
    labels: np.ndarray | None


Decide = Callable[[HeldOut, np.ndarray], FittedDecision]


def cross_predict(
    recipe: Recipe,
    held: HeldOut,
    factors: Factors,
    parts: np.ndarray,
    decide_by: Decide | None = None,
    asked: tuple[HeldOut, np.ndarray] | None = None,
) -> Crossed:
    """Calibrated predictions of held-out rows, each part's from calibrations (and a decision) fitted on all other
    parts.

    Calibration and decision are part of what is scored, so they too never see the rows that score them. Where there is
    one part alone, it is fitted on itself.

    Args:
        recipe: Whose calibrations are fitted.
        held: Held-out rows of classes.
        factors: Per network, by what its training multiplied the natural prior.
        parts: ``(n,)`` the part of each held-out row.
        decide_by: Fits the decision on the other parts' rows and their probabilities; None: no labels.
        asked: Other rows to predict in the same way, and ``(m,)`` by which part's calibrations; None: the held-out
            rows.
    """
    rows, turn = (held, parts) if asked is None else asked
    outputs = np.empty_like(rows.outputs)
    labels = None if decide_by is None else np.empty(len(rows.y), dtype=np.int64)
    for part in np.unique(parts):
        mine, answered = parts == part, turn == part
        others = held if mine.all() else held.where(~mine)
        chains = calibrate(recipe, others, factors)
        outputs[answered] = through_chains(rows.where(answered), chains)
        if decide_by is not None and labels is not None:
            decision = decide_by(others, through_chains(others, chains))
            labels[answered] = decision(outputs[answered])
    return Crossed(outputs, labels)


def complete(model: Model, judging: Dataset, fits: Sequence[CrossFit]) -> tuple[Model, Scores, np.ndarray]:
    """Calibrate and decide on held-out rows, and score those rows.

    Args:
        model: Trained networks, not yet calibrated, in the order of the recipes.
        judging: Rows of which the networks hold some out.
        fits: The networks by recipe.

    Returns:
        The model with its calibrations and decision, the scores, and ``(n, n_outputs)`` held-out probabilities (or
        values), NaN for rows that were never held out.

    Raises:
        DataError: No row was held out.
    """
    total = sum(models.weight for models in fits)
    members: list[Member] = []
    outputs = np.zeros((len(judging), model.spec.n_outputs))
    for models in fits:
        own = model.members[len(members) : len(members) + len(models.trained)]
        calibrated, mine = _calibrated(models, own, judging, model.device)
        members += calibrated
        outputs += models.weight / total * mine
    rows = np.flatnonzero(np.isfinite(outputs).all(axis=1))
    if not len(rows):
        raise DataError(
            f"{judging.name} leaves no row to calibrate and decide on; give more rows (or groups) of each class."
        )
    model, here = replace(model, members=members), judging.take(rows)
    if here.task == "classification":
        if len(fits) > 1:
            chain = recalibrate(model.recipe, outputs[rows], here)
            model = replace(model, calibrations=chain)
            outputs[rows] = recalibrated(outputs[rows], chain)
        decision = decide(
            model.recipe, outputs[rows], here.codes, here.weights, model.prior, judging.classes, model.positive
        )
        model = replace(model, decision=decision)
    return model, scores_of(model, here, outputs[rows]), outputs


def _calibrated(
    models: CrossFit, members: Sequence[Member], judging: Dataset, device: str
) -> tuple[Sequence[Member], np.ndarray]:
    """A recipe's calibrated members, and ``(n, n_outputs)`` their held-out predictions, NaN for rows never held out."""
    outputs = np.full((len(judging), members[0].prepared.spec.n_outputs), np.nan)
    if not sum(map(len, models.held_rows)):
        return members, outputs
    held = predict(models, judging, device, members)
    if judging.task == "regression":
        outputs[held.rows] = held.outputs
        return members, outputs
    chains = calibrate(models.recipe, held, prior_factors(models))
    outputs[held.rows] = through_chains(held, chains)
    return [replace(one, calibrations=chain) for one, chain in zip(members, chains, strict=True)], outputs


def recalibrate(recipe: AnyRecipe, mean: np.ndarray, rows: Dataset) -> FittedChain:
    """Calibrations of an ensemble's mean probabilities, fitted to their logarithm on held-out rows."""
    chain: FittedChain = []
    for method in recipe.calibration:
        logits = np.log(recalibrated(mean, chain).clip(LEAST))
        chain.append((type(method).name, method.fit(logits, rows.codes, rows.weights, None)))
    return chain


def scores(model: Model, data: Dataset) -> Scores:
    """Scores with intervals of a model on labelled rows that it has never seen."""
    return scores_of(model, data, model.outputs(data))


def scores_of(model: Model, data: Dataset, outputs: np.ndarray) -> Scores:
    """Scores of given outputs, ``(n, n_classes)`` probabilities or ``(n, 1)`` values, for these rows."""
    assert data.y is not None
    seed = model.recipe.seed
    if data.task == "regression":
        return score_regression(data.y, outputs[:, 0], weight=data.weight, group=data.group, seed=seed)
    positive = None if model.positive is None else data.classes.index(model.positive)
    labels = model.labels(outputs)
    return score(
        data.codes,
        outputs,
        labels,
        data.classes,
        weight=data.weight,
        group=data.group,
        positive=positive,
        seed=seed,
    )


def calibrate(recipe: Recipe, held: HeldOut, factors: Factors) -> list[FittedChain]:
    """Fit the recipe's calibrations in order.

    A method that is for one network (prior correction) is fitted per network with that training's own prior factor; the
    others learn from all held-out rows together. Where a training answers to no prior, a per-class scale and bias takes
    the place of its correction; where one bent the prior and the recipe corrects nothing, the correction is put in
    front: probabilities are natural in any case.

    Returns:
        A chain of fitted calibrations per network.
    """
    chains: list[FittedChain] = [[] for _ in factors]
    for method in _calibration_methods(recipe, factors):
        name, current = type(method).name, _logits_after(held, chains)
        if method.per_network:
            for place, factor in enumerate(factors):
                mine = held.network == place
                chains[place].append((name, method.fit(current[mine], held.y[mine], held.weight[mine], factor)))
        else:
            fitted = method.fit(current, held.y, held.weight, None)
            for chain in chains:
                chain.append((name, fitted))
    return chains


def decide(
    recipe: AnyRecipe,
    probabilities: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    prior: np.ndarray,
    classes: tuple[str, ...],
    positive: str | None,
) -> tuple[str, FittedDecision]:
    """Fit the decision on held-out probabilities for the recipe's metric.

    Balanced accuracy serves the metrics of probabilities.
    """
    metric = recipe.metric if names.metric(recipe.metric, classes).needs == "labels" else "balanced_accuracy"
    code = None if positive is None else classes.index(positive)
    method: Any = recipe.decision
    fitted = method.fit(probabilities, y, weight, names.decision_metric(metric, code, classes), prior)
    return type(method).name, fitted


def through_chains(held: HeldOut, chains: Sequence[Chain]) -> np.ndarray:
    """``(n, n_classes)`` calibrated probabilities, each row by its own network's chain."""
    result = np.empty_like(held.outputs)
    for place, chain in enumerate(chains):
        mine = held.network == place
        if mine.any():
            result[mine] = probabilities(held.outputs[mine], chain)
    return result


def _logits_after(held: HeldOut, chains: Sequence[Chain]) -> np.ndarray:
    """The held-out logits after each network's chain so far."""
    current = held.outputs.copy()
    for place, chain in enumerate(chains):
        mine = held.network == place
        for _, calibration in chain:
            if mine.any():
                current[mine] = calibration(current[mine])
    return current


def _calibration_methods(recipe: Recipe, factors: Factors) -> list[Any]:
    known = [factor for factor in factors if factor is not None]
    if len(known) < len(factors):
        replacement = methods.build("calibration", {"name": "class_scale_bias"})
        kept = [method for method in recipe.calibration if not method.per_network]
        return [replacement, *(method for method in kept if type(method) is not type(replacement))]
    bent = any(not np.allclose(factor, factor[0]) for factor in known)
    corrected = any(method.per_network for method in recipe.calibration)
    missing = [methods.build("calibration", {"name": "prior_correction"})] if bent and not corrected else []
    return [*missing, *recipe.calibration]

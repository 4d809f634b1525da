"""From held-out logits to truthful probabilities and decisions; no row is judged by a network that trained on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset
from rarebird.evaluation.result import Scores
from rarebird.evaluation.scoring import score, score_regression
from rarebird.metrics import names
from rarebird.model.chain import LEAST, probabilities, recalibrated
from rarebird.model.model import Member, Model
from rarebird.recipe.ensemble import AnyRecipe
from rarebird.recipe.recipe import Recipe
from rarebird.slots import methods
from rarebird.slots.protocols import FittedCalibration, FittedDecision
from rarebird.training.cross_fit import Team

Chain = list[tuple[str, FittedCalibration]]


@dataclass(frozen=True)
class HeldOut:
    """Held-out rows' raw logits, each from a network that never saw the row.

    Attributes:
        logits: ``(n, n_classes)``.
        y: ``(n,)`` class codes.
        weight: ``(n,)`` sample weights.
        member: ``(n,)`` which network judged each row.
    """

    logits: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    member: np.ndarray

    def where(self, chosen: np.ndarray) -> HeldOut:
        """The chosen rows, ``(n,)`` bool."""
        return HeldOut(self.logits[chosen], self.y[chosen], self.weight[chosen], self.member[chosen])


def complete(model: Model, judged: Dataset, teams: Sequence[Team]) -> tuple[Scores, np.ndarray]:
    """Calibrate and decide on held-out rows, put both into the model, and score those rows.

    Args:
        model: Trained networks, not yet calibrated, in the order of the teams.
        judged: Rows of which the networks have held some out.
        teams: Who trained them.

    Returns:
        The scores, and ``(n, n_outputs)`` held-out probabilities (or values), NaN for rows that were never held out.

    Raises:
        DataError: No row was held out.
    """
    total, place = sum(team.weight for team in teams), 0
    out_of_fold = np.zeros((len(judged), model.spec.n_outputs))
    for team in teams:
        mine = model.members[place : place + len(team.trained)]
        place += len(team.trained)
        out_of_fold += team.weight / total * _voice(team, mine, judged, model.device)
    rows = np.flatnonzero(np.isfinite(out_of_fold).all(axis=1))
    if not len(rows):
        raise DataError(
            f"{judged.name} leaves no row to calibrate and decide on; give more rows (or groups) of each class."
        )
    here = judged.take(rows)
    if here.task == "classification":
        if len(teams) > 1:
            model.calibrations = recalibrate(model.recipe, out_of_fold[rows], here)
            out_of_fold[rows] = recalibrated(out_of_fold[rows], model.calibrations)
        model.decision = decide(
            model.recipe, out_of_fold[rows], here.codes, here.weights, model.prior, judged.classes, model.positive
        )
    return scores_of(model, here, out_of_fold[rows]), out_of_fold


def held_out(team: Team, members: Sequence[Member], judged: Dataset, device: str) -> HeldOut:
    """The raw logits of a team's held-out rows, in the order of its networks."""
    rows = np.concatenate(team.held_rows)
    outputs = np.concatenate(
        [one.logits(judged.take(mine), device) for one, mine in zip(members, team.held_rows, strict=True)]
    )
    member = np.repeat(np.arange(len(team.held_rows)), [len(mine) for mine in team.held_rows])
    here = judged.take(rows)
    y = here.codes if here.task == "classification" else np.zeros(len(rows), dtype=np.int64)
    return HeldOut(outputs, y, here.weights, member)


def _voice(team: Team, members: Sequence[Member], judged: Dataset, device: str) -> np.ndarray:
    """``(n, n_outputs)`` a team's held-out probabilities or values, NaN for rows that it never held out; its members
    are calibrated."""
    voice = np.full((len(judged), members[0].prepared.spec.n_outputs), np.nan)
    rows = np.concatenate(team.held_rows) if team.held_rows else np.zeros(0, dtype=np.int64)
    if not len(rows):
        return voice
    held = held_out(team, members, judged, device)
    if judged.task == "regression":
        values = [one.prepared.values(held.logits[held.member == place]) for place, one in enumerate(members)]
        voice[rows] = np.concatenate(values)
        return voice
    chains = calibrate(team.recipe, held, [one.prior_factor for one in team.trained])
    for one, chain in zip(members, chains, strict=True):
        one.calibrations = chain
    voice[rows] = held_probabilities(held, chains)
    return voice


def crossed(team: Team, members: Sequence[Member], judged: Dataset, device: str, judges: np.ndarray) -> np.ndarray:
    """``(n, n_outputs)`` held-out probabilities (or values), calibrated for each row without that row: what selection
    may look at.

    Args:
        team: Who trained the networks.
        members: The networks, without calibrations.
        judged: Rows of which the networks have held some out.
        device: Where they compute.
        judges: ``(n,)`` parts of the judged rows; the calibrations of one part's rows are fitted on the rows of all
            others.

    Returns:
        NaN for rows that were never held out.
    """
    voice = np.full((len(judged), members[0].prepared.spec.n_outputs), np.nan)
    rows = np.concatenate(team.held_rows)
    held = held_out(team, members, judged, device)
    if judged.task == "regression":
        voice[rows] = np.concatenate(
            [one.prepared.values(held.logits[held.member == place]) for place, one in enumerate(members)]
        )
        return voice
    factors = [one.prior_factor for one in team.trained]
    for part in np.unique(judges[rows]):
        mine = judges[rows] == part
        known = held if mine.all() else held.where(~mine)
        chains = calibrate(team.recipe, known, factors)
        voice[rows[mine]] = held_probabilities(held.where(mine), chains)
    return voice


def recalibrate(recipe: AnyRecipe, mean: np.ndarray, rows: Dataset) -> Chain:
    """Calibrations of an ensemble's mean probabilities, fitted to their logarithm on held-out rows."""
    chain: Chain = []
    for method in recipe.calibration:
        logits = np.log(recalibrated(mean, chain).clip(LEAST))
        chain.append((type(method).name, method.fit(logits, rows.codes, rows.weights, None)))
    return chain


def scores(model: Model, data: Dataset) -> Scores:
    """Scores with intervals of a model on labelled rows it has never seen."""
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
        data.codes, outputs, labels, data.classes, weight=data.weight, group=data.group, positive=positive, seed=seed
    )


def calibrate(recipe: Recipe, held: HeldOut, factors: Sequence[np.ndarray | None]) -> list[Chain]:
    """Fit the recipe's calibrations in order.

    A method that speaks of one network (prior correction) is fitted per network with that training's own prior factor;
    the others learn from all held-out rows together. Where a training answers to no prior, a per-class scale and bias
    takes the place of its correction; where one bent the prior and the recipe corrects nothing, the correction is put
    in front: probabilities are natural in any case.

    Returns:
        A chain of fitted calibrations per network.
    """
    chains: list[Chain] = [[] for _ in factors]
    for method in _chain_of_methods(recipe, factors):
        name, current = type(method).name, _through(held, chains)
        if method.per_network:
            for place, factor in enumerate(factors):
                mine = held.member == place
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
    """Fit the decision on held-out probabilities for the recipe's metric; balanced accuracy serves the metrics of
    probabilities."""
    metric = recipe.metric if names.metric(recipe.metric, classes).needs == "labels" else "balanced_accuracy"
    code = None if positive is None else classes.index(positive)
    method: Any = recipe.decision
    fitted = method.fit(probabilities, y, weight, names.decision_metric(metric, code, classes), prior)
    return type(method).name, fitted


def held_probabilities(held: HeldOut, chains: Sequence[Chain]) -> np.ndarray:
    """``(n, n_classes)`` calibrated probabilities of the held-out rows."""
    result = np.empty_like(held.logits)
    for place, chain in enumerate(chains):
        mine = held.member == place
        if mine.any():
            result[mine] = probabilities(held.logits[mine], chain)
    return result


def _through(held: HeldOut, chains: Sequence[Chain]) -> np.ndarray:
    """The held-out logits after each network's chain so far."""
    current = held.logits.copy()
    for place, chain in enumerate(chains):
        mine = held.member == place
        for _, calibration in chain:
            if mine.any():
                current[mine] = calibration(current[mine])
    return current


def _chain_of_methods(recipe: Recipe, factors: Sequence[np.ndarray | None]) -> list[Any]:
    known = [factor for factor in factors if factor is not None]
    if len(known) < len(factors):
        replacement = methods.build("calibration", {"name": "class_scale_bias"})
        kept = [method for method in recipe.calibration if not method.per_network]
        return [replacement, *(method for method in kept if type(method) is not type(replacement))]
    bent = any(not np.allclose(factor, factor[0]) for factor in known)
    corrected = any(method.per_network for method in recipe.calibration)
    missing = [methods.build("calibration", {"name": "prior_correction"})] if bent and not corrected else []
    return [*missing, *recipe.calibration]

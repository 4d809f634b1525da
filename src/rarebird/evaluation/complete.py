"""What a finished training needs: calibrations and a decision from its held-out rows, and figures for these rows that
both had no part in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset
from rarebird.data.split import halves
from rarebird.evaluation.deployment_prior import stated_prior, under_prior
from rarebird.evaluation.held_out import apply_chains, calibrate, calibrate_mean, decide, merged
from rarebird.evaluation.held_outputs import HeldOut, predict, prior_factors
from rarebird.model.chain import apply_to_mean, probabilities
from rarebird.model.held_out_rows import HeldOutRows
from rarebird.model.model import Member, Model
from rarebird.training.cross_fit import CrossFit

# Parts whose rows are predicted by fits on all others.
MOST_PARTS = 5


@dataclass(frozen=True, eq=False)
class Completed:
    """A model that calibrates and decides, and its predictions for held-out rows.

    Attributes:
        model: With calibrations and a decision that were fitted on all held-out rows.
        outputs: ``(n, n_outputs)`` for the scored rows, by calibrations that were fitted on the rows of other parts;
            NaN for rows that were never held out.
        labels: ``(n,)`` codes by a decision that was fitted on the rows of other parts; the values for regression.
        uncalibrated: As `outputs`, before any calibration; None for regression.
    """

    model: Model
    outputs: np.ndarray
    labels: np.ndarray
    uncalibrated: np.ndarray | None = None


def complete(model: Model, scored: Dataset, fits: Sequence[CrossFit], parts: np.ndarray) -> Completed:
    """Calibrate and decide on held-out rows, and predict these rows by calibrations and a decision of other rows.

    A calibration and a decision that are scored on the rows they were fitted to look better than they are: a threshold
    gave a network that knows nothing a macro F1 of .22 on its own rows, and .17 on new ones.

    Args:
        model: Trained networks, not yet calibrated, in the order of the recipes.
        scored: The rows that the networks hold out, and perhaps others.
        fits: The networks by recipe.
        parts: ``(n,)`` the part of each scored row.

    Raises:
        DataError: No row was held out.
    """
    held = _held_outputs(model, scored, fits)
    known = _held_by_all(held, len(scored))
    if not known.any():
        raise DataError(
            f"{scored.name} leaves no row to calibrate and decide on; give more rows (or groups) of each class."
        )
    if scored.task == "regression":
        values = _mean(fits, [_spread(one, one.outputs, len(scored)) for one in held if one is not None])
        kept = np.flatnonzero(np.isfinite(values[:, 0]))
        here = scored.take(kept)
        assert here.y is not None
        rows = HeldOutRows(values[kept], here.y, here.weights, _groups(here), _member(fits, held, kept))
        return Completed(replace(model, held_out=rows), values, values[:, 0])
    everything = np.ones(len(scored), dtype=bool)
    fitted, _ = _fitted_on(model, scored, fits, held, everything)
    outputs, labels = np.full((len(scored), model.spec.n_outputs), np.nan), np.full(len(scored), -1)
    # Folds are merged: each part costs a fit of all calibrations and of the decision.
    fewer = merged(parts % MOST_PARTS, model.spec.n_outputs)
    parts = crossing_parts(scored, known, fewer, model.recipe.seed)
    for part in np.flatnonzero(np.bincount(parts[known])):
        in_part = (parts == part) & known
        others = known & ~in_part
        by_others, predicted = _fitted_on(model, scored, fits, held, others if others.any() else known)
        outputs[in_part] = predicted[in_part]
        labels[in_part] = by_others.labels(predicted[in_part], scored.take(in_part))
    raw = [_spread(one, probabilities(one.outputs, ()), len(scored)) for one in held if one is not None]
    return Completed(fitted, outputs, labels, _mean(fits, raw))


def crossing_parts(scored: Dataset, known: np.ndarray, parts: np.ndarray, seed: int) -> np.ndarray:
    """``(n,)`` parts such that the known rows are in two at least, if there are two rows: where all of them are in one
    part (after an early end, or the first rung of a race), it is halved.

    Args:
        scored: The rows.
        known: ``(n,)`` bool, the rows that were held out.
        parts: ``(n,)`` the part of each row.
        seed: Decides the halves.
    """
    if np.count_nonzero(np.bincount(parts[known])) > 1:
        return parts
    halved = np.zeros(len(scored), dtype=np.int64)
    halved[known] = halves(scored.take(np.flatnonzero(known)), seed)
    return halved


def _held_outputs(model: Model, scored: Dataset, fits: Sequence[CrossFit]) -> list[HeldOut | None]:
    """Raw held-out outputs of each recipe; None for a recipe whose networks hold out no row."""
    held: list[HeldOut | None] = []
    place = 0
    for models in fits:
        members = model.members[place : place + len(models.trained)]
        place += len(members)
        known = sum(map(len, models.held_rows)) > 0
        held.append(predict(models, scored, model.device, members) if known else None)
    return held


def _held_by_all(held: Sequence[HeldOut | None], n: int) -> np.ndarray:
    """``(n,)`` bool: the rows that every recipe holds out."""
    known = np.ones(n, dtype=bool)
    for one in held:
        mine = np.zeros(n, dtype=bool)
        if one is not None:
            mine[one.rows] = True
        known &= mine
    return known


def _fitted_on(
    model: Model, scored: Dataset, fits: Sequence[CrossFit], held: Sequence[HeldOut | None], rows: np.ndarray
) -> tuple[Model, np.ndarray]:
    """The model with calibrations and decision fitted on some of the rows, ``(n,)`` bool, and its held-out outputs for
    all of them."""
    members: list[Member] = []
    each = []
    for models, one in zip(fits, held, strict=True):
        own = model.members[len(members) : len(members) + len(models.trained)]
        assert one is not None
        chains = calibrate(models.recipe, one.where(rows[one.rows]), prior_factors(models))
        members += [replace(member, calibrations=chain) for member, chain in zip(own, chains, strict=True)]
        each.append(_spread(one, apply_chains(one, chains), len(scored)))
    mean = _mean(fits, each)
    known = np.isfinite(mean).all(axis=1)
    fitted_rows = np.flatnonzero(rows & known)
    here = scored.take(fitted_rows)
    model = replace(model, members=members)
    if len(fits) > 1:
        chain = calibrate_mean(model.recipe, mean[fitted_rows], here)
        model = replace(model, calibrations=chain)
        mean[known] = apply_to_mean(mean[known], chain)
    kept = HeldOutRows(mean[fitted_rows], here.codes, here.weights, _groups(here), _member(fits, held, fitted_rows))
    decision = decide(model.recipe, kept, model.prior, scored.classes, model.positive)
    model = replace(model, decision=decision, held_out=kept)
    if not model.recipe.prior:
        return model, mean
    model = under_prior(model, stated_prior(model.recipe.prior, model.classes, model.prior))
    mean[known] = apply_to_mean(mean[known], model.calibrations[-1:])
    return model, mean


def _groups(rows: Dataset) -> np.ndarray | None:
    """``(n,)`` ints, equal for rows that are not independent."""
    if rows.together is None:
        return None
    codes: np.ndarray = np.unique(rows.together, return_inverse=True)[1].astype(np.int64)
    return codes


def _member(fits: Sequence[CrossFit], held: Sequence[HeldOut | None], rows: np.ndarray) -> np.ndarray | None:
    """``(n,)`` the place of the member that predicts each of these rows; None for several recipes, whose mean predicts
    them."""
    one = held[0]
    if len(fits) > 1 or one is None:
        return None
    member: np.ndarray = np.zeros(int(max(one.rows.max(initial=0), rows.max(initial=0))) + 1, dtype=np.int64)
    member[one.rows] = one.network
    found: np.ndarray = member[rows]
    return found


def _spread(held: HeldOut, outputs: np.ndarray, n: int) -> np.ndarray:
    """``(n, n_outputs)`` the outputs at their rows, NaN elsewhere."""
    spread = np.full((n, outputs.shape[1]), np.nan)
    spread[held.rows] = outputs
    return spread


def _mean(fits: Sequence[CrossFit], each: Sequence[np.ndarray]) -> np.ndarray:
    """The weighted mean of the recipes' outputs."""
    total = sum(models.weight for models in fits)
    mean: np.ndarray = sum(models.weight / total * outputs for models, outputs in zip(fits, each, strict=True))  # type: ignore[assignment]
    return mean

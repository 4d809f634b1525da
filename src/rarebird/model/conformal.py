"""Prediction sets and intervals with a promised coverage, from the held-out rows that a model keeps.

*Sets.* Each class has a p-value: the share of its held-out rows whose probability of it is as small, or smaller, with
the row itself counted among them (Mondrian conformal prediction: Vovk, Gammerman and Shafer, "Algorithmic Learning in a
Random World", 2005; sets by these scores are the smallest: Sadinle, Lei and Wasserman 2019). A set holds the classes
whose p-value is above 1 - coverage, so that each class gets the promise by itself, whatever its frequency.

*Intervals.* Errors are measured in units of a scale that follows the prediction: the mean error of held-out rows with
such predictions (normalized errors: Papadopoulos, Gammerman and Vovk 2008). Intervals widen where errors are larger.

With folds, a held-out row is compared with a new row as the same network predicts it (cross-conformal: Vovk 2015; CV+:
Barber, Candes, Ramdas and Tibshirani 2021; Romano, Sesia and Candes 2020); where means of several recipes predict, with
the model itself. The coverage holds for new rows like the held-out ones (of the same class); with groups, each group
counts as one row in the correction for few rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rarebird.core.checks import DataError
from rarebird.data.row_counts import rows_of
from rarebird.model.held_out_rows import HeldOutRows

# How the promise of a class comes about: from its own rows; from those of all classes with too few rows together; or,
# where even these are too few, by being in every set.
Basis = Literal["own rows", "small classes together", "always in the set"]
# Held-out errors of one member that are compared with each new row; more are merged, to larger errors.
MOST_ERRORS = 200
# Rows in a bin of the scale, and bins at most; the least scale, as a share of the mean error.
ROWS_IN_BIN, MOST_BINS, LEAST_SCALE = 40, 10, 0.05
# Numbers that are compared at a time.
CELLS = 4_000_000


def check_coverage(coverage: float) -> None:
    """Check that a coverage can be asked for.

    Raises:
        DataError: It is not between 0 and 1.
    """
    if not 0 < coverage < 1:
        raise DataError(f"A coverage is between 0 and 1, such as 0.9, but got {coverage!r}.")


def rows_needed(coverage: float) -> int:
    """Rows (groups) from which a coverage can be promised: 9 for .9."""
    return int(np.ceil(coverage / (1 - coverage) - 1e-9))


@dataclass(frozen=True, eq=False)
class PredictionSets:
    """Sets of classes for rows.

    Attributes:
        members: ``(n, n_classes)`` bool, the classes in each row's set.
        basis: Per class, how its promise comes about.
        rows: Per class, its held-out rows (groups).
    """

    members: np.ndarray
    basis: tuple[Basis, ...]
    rows: tuple[int, ...]


def prediction_sets(held: HeldOutRows, outputs: Sequence[np.ndarray], coverage: float) -> PredictionSets:
    """The set of each row. An empty one gets the class with the largest p-value.

    Args:
        held: Held-out rows with probabilities.
        outputs: The probabilities ``(n, n_classes)`` of the rows, of each member that `held.member` names, or of the
            model where it is None.
        coverage: The promise for each class, 0..1.
    """
    check_coverage(coverage)
    n_classes, needed = held.outputs.shape[1], rows_needed(coverage)
    own = held.outputs[np.arange(len(held)), held.y]
    units = [n_units(held, held.y == code) for code in range(n_classes)]
    small = [code for code in range(n_classes) if units[code] < needed]
    together = np.isin(held.y, small)
    pooled = len(small) > 1 and n_units(held, together) >= needed
    p_value, basis = np.empty((len(outputs[0]), n_classes)), list[Basis]()
    for code in range(n_classes):
        is_small = code in small
        chosen = together if is_small and pooled else held.y == code
        p_value[:, code] = _p_values(held, own, chosen, [one[:, code] for one in outputs])
        basis.append("own rows" if not is_small else "small classes together" if pooled else "always in the set")
    members = p_value > 1 - coverage + 1e-12
    empty = ~members.any(axis=1)
    members[empty, p_value[empty].argmax(axis=1)] = True
    return PredictionSets(members, tuple(basis), tuple(units))


def n_units(held: HeldOutRows, chosen: np.ndarray) -> int:
    """How many rows the chosen rows count for; groups, where rows form groups."""
    chosen = chosen & (held.weight > 0)
    if held.group is not None:
        return len(np.unique(held.group[chosen]))
    return int(rows_of(held.weight[chosen]).sum()) if chosen.any() else 0


def _p_values(held: HeldOutRows, own: np.ndarray, chosen: np.ndarray, new: Sequence[np.ndarray]) -> np.ndarray:
    """``(n,)`` the share of the chosen held-out rows whose probability is at most that of a new row, by the same
    member."""
    weight = rows_of(held.weight) if held.weight.any() else held.weight
    count, total = np.zeros(len(new[0])), float(weight[chosen].sum())
    for place, probability in enumerate(new):
        mine = chosen if held.member is None else chosen & (held.member == place)
        order = np.argsort(own[mine], kind="stable")
        below = np.concatenate([[0.0], np.cumsum(weight[mine][order])])
        count += below[np.searchsorted(own[mine][order], probability, side="right")]
    units = n_units(held, chosen)
    share: np.ndarray = count / total if total > 0 else np.ones(len(count))
    return (share * units + 1) / (units + 1)


def value_intervals(held: HeldOutRows, outputs: Sequence[np.ndarray], coverage: float) -> np.ndarray:
    """``(n, 2)`` the lower and the upper end of each row's interval.

    Args:
        held: Held-out rows with predicted values.
        outputs: The values ``(n, 1)`` of the rows, of each member that `held.member` names, or of the model where it is
            None.
        coverage: The promise, 0..1.

    Raises:
        DataError: There are too few held-out rows for the coverage.
    """
    check_coverage(coverage)
    units, needed = n_units(held, np.ones(len(held), dtype=bool)), rows_needed(coverage)
    if units < needed:
        raise DataError(
            f"A coverage of {coverage:g} needs {needed} held-out rows (groups), but the model has {units}; ask for a "
            "smaller coverage."
        )
    level = min(coverage * (units + 1) / units, 1.0)
    scale, errors, weight = scaled_errors(held)
    if len(outputs) == 1:
        width = _quantile(errors[None], weight[None], level) * scale(outputs[0][:, 0])
        return np.stack([outputs[0][:, 0] - width, outputs[0][:, 0] + width], axis=1)
    return _cross_intervals(held, outputs, errors, weight, scale, level)


def scaled_errors(held: HeldOutRows) -> tuple[Scale, np.ndarray, np.ndarray]:
    """The scale of held-out errors, ``(n,)`` the errors in units of it, and ``(n,)`` how many rows each counts for."""
    predicted, weight = held.outputs[:, 0], rows_of(held.weight)
    scale = Scale(predicted, np.abs(held.y - predicted), weight)
    return scale, np.abs(held.y - predicted) / scale(predicted), weight


def _cross_intervals(
    held: HeldOutRows,
    outputs: Sequence[np.ndarray],
    errors: np.ndarray,
    weight: np.ndarray,
    scale: Scale,
    level: float,
) -> np.ndarray:
    """Each held-out error is added to, and taken from, the new row's prediction by the member of its row; the ends are
    quantiles of these."""
    assert held.member is not None
    own = [held.member == place for place in range(len(outputs))]
    merged = [merged_errors(errors[mine], weight[mine]) for mine in own]
    sizes = np.concatenate([size for size, _ in merged])
    place = np.repeat(np.arange(len(outputs)), [len(size) for size, _ in merged])
    counts = np.concatenate([count for _, count in merged])
    n, step = len(outputs[0]), max(1, CELLS // max(len(sizes), 1))
    found = np.empty((n, 2))
    for start in range(0, n, step):
        center = np.stack([one[start : start + step, 0] for one in outputs], axis=1)
        moved = sizes * scale(center)[:, place]
        base = center[:, place]
        every = np.broadcast_to(counts, base.shape)
        found[start : start + step, 0] = -_quantile(moved - base, every, level)
        found[start : start + step, 1] = _quantile(base + moved, every, level)
    return found


class Scale:
    """The size of errors as a function of the prediction: means over bins of held-out predictions, linear between."""

    def __init__(self, predicted: np.ndarray, error: np.ndarray, weight: np.ndarray) -> None:
        order = np.argsort(predicted, kind="stable")
        parts = np.array_split(order, int(np.clip(len(order) // ROWS_IN_BIN, 1, MOST_BINS)))
        parts = [part for part in parts if weight[part].sum() > 0]
        least = max(LEAST_SCALE * float(np.average(error, weights=weight)), 1e-300)
        self.center = np.array([np.average(predicted[part], weights=weight[part]) for part in parts])
        self.size = np.array([max(float(np.average(error[part], weights=weight[part])), least) for part in parts])

    def __call__(self, predicted: np.ndarray) -> np.ndarray:
        """The scale at these predictions, of any shape."""
        return np.asarray(np.interp(predicted, self.center, self.size))


def _quantile(values: np.ndarray, weight: np.ndarray, level: float) -> np.ndarray:
    """``(rows,)`` per row of ``(rows, n)`` the smallest value at or below which a share `level` of the weight is."""
    order = np.argsort(values, axis=1)
    below = np.cumsum(np.take_along_axis(weight, order, axis=1), axis=1)
    place = (below < level * below[:, -1:] * (1 - 1e-12)).sum(axis=1)
    chosen = np.take_along_axis(order, place[:, None], axis=1)
    return np.take_along_axis(values, chosen, axis=1)[:, 0]


def merged_errors(errors: np.ndarray, weight: np.ndarray, most: int = MOST_ERRORS) -> tuple[np.ndarray, np.ndarray]:
    """At most `most` errors in order, with their weights; of several that are merged, the largest."""
    order = np.argsort(errors, kind="stable")
    parts = [part for part in np.array_split(order, min(most, len(order)) or 1) if len(part)]
    return np.array([errors[part[-1]] for part in parts]), np.array([weight[part].sum() for part in parts])

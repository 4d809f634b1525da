"""Table rows with numbers, dates, categories and missing cells: their distances, and new rows between two of them.

*Distance* (SMOTE-NC: Chawla et al., "SMOTE: Synthetic Minority Over-sampling Technique", JAIR 2002, section 6.1):
Euclidean over numbers and dates; the distance of two different categories of a column is the median of the numbers'
standard deviations within the class. A missing number counts as the column's mean; a missing category is a category of
its own.

*A new row* starts at one row and lies at a random point of the way to one of its neighbors. Numbers and dates are
interpolated; if one of the two is missing, the new cell is that of the nearer row. A category is the most frequent one
among the neighbors; of equally frequent ones, that of the nearest neighbor. Weight and soft targets are interpolated;
id, group, time and cells that identify rows are those of the start.

NOTE[DIFF]: new cells in a column of whole numbers (or days) are whole numbers (or days); the paper has no missing
cells; columns with a standard deviation of 0 do not count in the median, which is 1 if no column is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rarebird.data.column_values import DAY, Role, as_float, like, roles_of
from rarebird.data.dataset import Dataset, Frame
from rarebird.methods.resampling._neighbors import Points

if TYPE_CHECKING:
    import pandas as pd

# The square of a larger number may be infinite.
HUGE = 1e150


@dataclass(frozen=True, eq=False)
class MixedRows:
    """The rows of a table, prepared for distances and interpolation.

    Attributes:
        data: The rows.
        in_order: Whether they are all rows of their source, in its order, so that columns need not be copied.
        roles: Column name -> kind of the column.
        centers: Number or date column -> mean of the known values.
        scales: Number or date column -> divisor of differences of its values.
        steps: Number or date column -> number that all its values are multiples of; 0 if there is none.
        codes: ``(n, n_categories)`` int64 codes of the category columns; the most frequent category has code 0.
    """

    data: Dataset
    in_order: bool
    roles: dict[str, Role]
    centers: dict[str, float]
    scales: dict[str, float]
    steps: dict[str, float]
    codes: np.ndarray

    def column(self, name: str) -> pd.Series:
        """``(n,)`` the original cells of a column."""
        assert isinstance(self.data.source, Frame)
        whole: pd.Series = self.data.source.frame[name]
        return whole if self.in_order else whole.iloc[self.data.index]

    def points(self, rows: np.ndarray, own: np.ndarray) -> Points:
        """The rows at the positions `rows` as points; the class of the rows `own` decides the distance between two
        categories."""
        numbers, spreads = np.zeros((len(rows), len(self.scales))), np.zeros(len(self.scales))
        for place, (name, scale) in enumerate(self.scales.items()):
            if scale > 0:
                values, center = as_float(self.column(name)), self.centers[name]
                numbers[:, place] = _scaled(values[rows], center, scale)
                within = _scaled(values[own], center, scale)
                spreads[place] = _spread(within, self.data.weights[own])[1] if self.codes.shape[1] else 0
        spreads = spreads[spreads > 0]
        return Points(numbers, self.codes[rows], float(np.median(spreads)) if len(spreads) else 1.0)


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of rows, between which new rows are made.

    Attributes:
        start, end: ``(m,)`` positions of the two rows.
        way: ``(m,)`` 0..1, the position of the new row on the way from the first to the second.
        carriers: ``(m, n_categories)`` positions of the rows from which categories are copied.
    """

    start: np.ndarray
    end: np.ndarray
    way: np.ndarray
    carriers: np.ndarray


def mixed_rows(train: Dataset, standardize: bool) -> MixedRows:
    """The rows of a table, with the scales of its columns.

    Args:
        train: Rows of kind ``table``.
        standardize: Whether each column is divided by its standard deviation over all rows; otherwise all columns are
            divided by the largest standard deviation, which keeps their proportions.
    """
    assert isinstance(train.source, Frame)
    in_order = np.array_equal(train.index, np.arange(len(train.source)))
    frame = train.source.frame if in_order else train.raw()
    rows = MixedRows(train, in_order, roles_of(frame), {}, {}, {}, np.zeros((len(train), 0), dtype=np.int64))
    coded = []
    for name, role in rows.roles.items():
        if role == "category":
            coded.append(_codes(frame[name]))
        elif role != "identifier":
            values = as_float(frame[name])
            rows.centers[name], rows.scales[name] = _center_and_spread(values, train.weights)
            rows.steps[name] = _step(frame[name], values)
    if not standardize:
        rows.scales.update(dict.fromkeys(rows.scales, max(rows.scales.values(), default=0.0)))
    return replace(rows, codes=np.stack(coded, axis=1)) if coded else rows


def drawn_pairs(
    rows: MixedRows, starts: np.ndarray, neighbors: np.ndarray, chosen: np.ndarray, rng: np.random.Generator
) -> Pairs:
    """Pairs of a start and one of its neighbors.

    Args:
        rows: The rows of the table.
        starts: ``(s,)`` positions of the rows where new rows may start.
        neighbors: ``(s, k)`` positions of their neighbors, the nearest first; with k = 0, a start is its own end.
        chosen: ``(m,)`` index into `starts` for each new row.
        rng: Draws the neighbor and the position on the way.
    """
    m, k = len(chosen), neighbors.shape[1]
    start = starts[chosen]
    end = neighbors[chosen, rng.integers(k, size=m)] if k else start
    carriers = [most_frequent(code, neighbors) if k else starts for code in rows.codes.T]
    columns = [one[chosen] for one in carriers]
    return Pairs(start, end, rng.random(m), np.stack(columns, axis=1) if columns else np.zeros((m, 0), dtype=np.int64))


def most_frequent(codes: np.ndarray, neighbors: np.ndarray) -> np.ndarray:
    """``(s,)`` for each row of `neighbors` ``(s, k)``, the first neighbor with their most frequent category; `codes`
    ``(n,)`` are the category codes."""
    near_codes = codes[neighbors]
    votes = np.stack([(near_codes == one[:, None]).sum(axis=1) for one in near_codes.T], axis=1)
    carriers: np.ndarray = neighbors[np.arange(len(neighbors)), votes.argmax(axis=1)]
    return carriers


def with_rows_between(rows: MixedRows, drawn: Sequence[Pairs]) -> Dataset:
    """All original rows, and after them a new row for each pair."""
    import pandas as pd

    start, end, way, carriers = (
        np.concatenate([getattr(pairs, part) for pairs in drawn]) for part in ("start", "end", "way", "carriers")
    )
    category, columns = iter(carriers.T), {}
    for name, role in rows.roles.items():
        column = rows.column(name)
        if role in ("number", "date"):
            new = like(column, interpolated(as_float(column), start, end, way, rows.steps[name]))
            # NumPy is faster by half than pandas if rows are many.
            columns[name] = pd.Series(np.concatenate([column.to_numpy(), new.to_numpy()]), copy=False)
        else:
            new = column.iloc[next(category) if role == "category" else start]
            columns[name] = pd.concat([column, new], ignore_index=True)
    frame = pd.DataFrame(columns, copy=False)
    return replace(rows.data, source=Frame(frame), index=np.arange(len(frame)), **_per_row(rows.data, start, end, way))


def interpolated(values: np.ndarray, start: np.ndarray, end: np.ndarray, way: np.ndarray, step: float) -> np.ndarray:
    """``(m,)`` values at the position `way` between those of two rows.

    Where the result is not finite (a value is missing, or the difference overflows), it is the value of the nearer row.

    Args:
        values: ``(n,)`` float64, NaN where missing.
        start: ``(m,)`` positions.
        end: ``(m,)`` positions.
        way: ``(m,)`` in 0..1.
        step: New values are rounded to a multiple of this; 0 for no rounding.
    """
    first = values.take(start)
    made: np.ndarray = values.take(end)
    with np.errstate(over="ignore", invalid="ignore"):
        made -= first
        made *= way
        made += first
        if step:
            made = np.rint(made / step) * step
    lost = ~np.isfinite(made)
    return np.where(lost, np.where(way < 0.5, first, values.take(end)), made) if lost.any() else made


def _per_row(train: Dataset, start: np.ndarray, end: np.ndarray, way: np.ndarray) -> dict[str, Any]:
    """Targets, weights, groups, times and ids, for the rows of `train` and the new ones."""

    def between(values: np.ndarray) -> np.ndarray:
        part = way if values.ndim == 1 else way[:, None]
        return np.concatenate([values, values[start] + part * (values[end] - values[start])])

    def repeated(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values, values[start]])

    assert train.y is not None
    return {
        "y": between(train.y) if train.y.ndim == 2 else repeated(train.y),
        "weight": None if train.weight is None else between(train.weight),
        "group": None if train.group is None else repeated(train.group),
        "copies": None if train.copies is None else repeated(train.copies),
        "time": None if train.time is None else repeated(train.time),
        "synthetic": None if train.synthetic is None else repeated(train.synthetic),
        "ids": repeated(train.ids),
    }


def _scaled(values: np.ndarray, center: float, scale: float) -> np.ndarray:
    """``(m,)`` centered and scaled numbers; 0 where missing."""
    known = np.isfinite(values)
    scaled: np.ndarray = values / scale - center / scale
    return scaled if known.all() else np.where(known, scaled, 0)


def _spread(values: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of weighted values."""
    mean = float((weight * values).sum() / weight.sum())
    return mean, float(np.sqrt((weight * np.square(values - mean)).sum() / weight.sum()))


def _center_and_spread(values: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Weighted mean and standard deviation of the known values; exactly 0 where they are all the same."""
    finite = np.isfinite(values)
    known = values[finite]
    if not len(known):
        return 0.0, 0.0
    peak = float(max(known.max(), -known.min()))
    unit = peak if peak > HUGE else 1.0
    known = known / unit if unit > 1 else known
    center, spread = _spread(known, weight[finite])
    # In a column of one value, the standard deviation consists only of rounding errors.
    return center * unit, spread * unit if spread > 1e-12 * peak / unit else 0.0


def _step(column: pd.Series, values: np.ndarray) -> float:
    """The number that all known values are multiples of: 1, a day for dates, or 0 if they are not."""
    dates = column.dtype.kind == "M"
    step = DAY[np.datetime_data(column.to_numpy().dtype)[0]] if dates else 1
    if column.dtype.kind in "iu":
        return step
    # Most columns without such a step show it in the first rows.
    for part in (values[:100], values):
        if (part[np.isfinite(part)] % step != 0).any():
            return dates
    return step


def _codes(column: pd.Series) -> np.ndarray:
    """``(n,)`` int64 code of each category, "missing" included; the most frequent one has code 0."""
    import pandas as pd

    which = pd.factorize(column, use_na_sentinel=True)[0] + 1
    place = np.empty(which.max(initial=0) + 1, dtype=np.int64)
    place[np.argsort(-np.bincount(which, minlength=len(place)), kind="stable")] = np.arange(len(place))
    ordered: np.ndarray = place[which]
    return ordered

"""The cells of one column as ranks, straightened numbers or codes, and back; what `_table_codec` does column by
column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rarebird.data.column_values import DAY

if TYPE_CHECKING:
    import pandas as pd

# Distinct values of a column that are kept, and codes of a category column.
MOST_VALUES, MOST_CODES = 1_000, 40
# Gap between neighboring values, in standard deviations, into which no value is made.
WIDE_GAP = 0.5
# Steps of which all values of a column may be multiples.
STEPS = (1.0, 0.5, 0.1, 0.05, 0.01, 0.005, 0.001, 0.0001)


def ranks(values: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct known values with the middle ranks of their first and last row; the value 0 without any."""
    known = np.isfinite(values)
    if not known.any():
        return np.zeros(1), np.full(1, 0.5), np.full(1, 0.5)
    order = np.argsort(values[known], kind="stable")
    ordered, each = values[known][order], weight[known][order]
    ranks = (np.cumsum(each) - each / 2) / each.sum()
    start = np.flatnonzero(np.concatenate([[True], np.diff(ordered) > 0]))
    end = np.concatenate([start[1:], [len(ordered)]]) - 1
    if len(start) > MOST_VALUES:
        kept = np.unique(np.rint(np.linspace(0, len(start) - 1, MOST_VALUES)).astype(int))
        start, end = start[kept], end[kept]
    return ordered[start], ranks[start], ranks[end]


def straightened(values: np.ndarray) -> np.ndarray:
    """Values after the power transformation under which they are most like a normal sample, standardized."""
    from scipy.stats import yeojohnson

    spread = values.std()
    if spread <= 1e-12 * max(np.abs(values).max(), 1e-300):
        return np.zeros(len(values)) + np.arange(len(values))
    scaled = (values - np.median(values)) / spread
    straight = np.asarray(yeojohnson(scaled)[0])
    # A power that cannot tell values apart is none.
    straight = straight if np.isfinite(straight).all() and (np.diff(straight) > 0).all() else scaled
    found: np.ndarray = (straight - straight.mean()) / straight.std()
    return found


def out_of_gaps(places: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Places within a wide gap between known ones ``(k,)``, moved to the nearer side."""
    after = np.clip(np.searchsorted(known, places), 1, max(len(known) - 1, 1))
    if len(known) < 2:
        return places
    low, high = known[after - 1], known[after]
    nearer = np.where(places - low < high - places, low, high)
    return np.where((high - low > WIDE_GAP) & (places > low) & (places < high), nearer, places)


def step_of(column: pd.Series, values: np.ndarray) -> float:
    """The largest of `STEPS` that all values are multiples of, for dates in days; 0 if there is none."""
    if column.dtype.kind == "M":
        day = DAY[np.datetime_data(column.to_numpy().dtype)[0]]
        return float(day) if (values % day == 0).all() else 1.0
    largest = float(np.abs(values).max())
    for step in STEPS:
        if (np.abs(values / step - np.rint(values / step)) <= 1e-9 * max(largest / step, 1.0)).all():
            return step
    return 0.0


def decimal(cells: np.ndarray, step: float) -> np.ndarray:
    """Multiples of a step as their nearest decimal numbers, 0.3 in place of 0.30000000000000004."""
    return np.round(cells, 4) if 0 < step < 1 else cells


def categories_of(column: pd.Series, count: np.ndarray) -> tuple[list[Any], np.ndarray]:
    """Distinct values, missing ones as None, the most frequent first, and their shares of the rows."""
    import pandas as pd

    which, distinct = pd.factorize(column, use_na_sentinel=True)
    rows = np.bincount(which + 1, count, len(distinct) + 1)
    values = [None, *distinct]
    order = [int(place) for place in np.argsort(-rows, kind="stable") if rows[place] > 0]
    return [values[place] for place in order], rows[order] / rows.sum()


def codes_of(column: pd.Series, known: list[Any]) -> np.ndarray:
    """``(n,)`` codes; the rarest values share the last one, as do unknown ones."""
    place = {value: min(code, MOST_CODES - 1) for code, value in enumerate(known)}
    rest = min(len(known), MOST_CODES) - 1
    missing = column.isna().to_numpy()
    codes = [place.get(None if gap else value, rest) for value, gap in zip(column, missing, strict=True)]
    return np.array(codes, dtype=np.int64)


def cells_of(
    codes: np.ndarray, known: list[Any], share: np.ndarray, dtype: Any, draw: np.random.Generator
) -> pd.Series:
    """Codes as values of a column of this type."""
    import pandas as pd

    places = codes
    if len(known) > MOST_CODES:
        rest = share[MOST_CODES - 1 :] / share[MOST_CODES - 1 :].sum()
        drawn = MOST_CODES - 1 + draw.choice(len(rest), len(codes), p=rest)
        places = np.where(codes == MOST_CODES - 1, drawn, codes)
    values = pd.Series([known[place] for place in places], dtype=object)
    return values.astype(dtype)


def plain(value: Any) -> Any:
    """A category as JSON holds it."""
    return value.item() if isinstance(value, np.generic) else value

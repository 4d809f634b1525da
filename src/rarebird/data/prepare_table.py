"""Table columns -> numbers, missing marks and category codes.

Numbers are scaled by their quartiles and softly clipped (robust scaling and smooth clipping of Holzmüller, Grinsztajn
and Steinwart, "Better by Default: Strong Pre-Tuned MLPs and Boosted Trees on Tabular Data", 2024), so that an outlier
changes neither the scale nor the network's output much.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from rarebird.core.checks import DataError, some
from rarebird.data import columns
from rarebird.data.row_counts import BLOCK_CELLS, column_quantiles
from rarebird.data.schema import MOST_CATEGORIES

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

MOST_BINS = 48
ROWS_PER_BIN = 10
CLIP = 3.0
QUARTILES = np.array([0.25, 0.5, 0.75])
NUMBERS = {"number": 1, "date": 4}
MICROSECONDS_PER_DAY = 86_400e6


class Column(BaseModel):
    """One column's state.

    Attributes:
        name: The column's name.
        role: ``number``, ``category`` or ``date`` (which gives several numbers).
        center, scale: One for each number that the column gives.
        categories: Known values as text, the most frequent first; code 0 is for unseen and missing values.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    role: Literal["number", "category", "date"]
    center: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()


class TableState(BaseModel):
    """The columns that are used, in order, and those left out with the reason."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: tuple[Column, ...]
    left_out: dict[str, str]

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Number of codes of each categorical column."""
        return tuple(len(column.categories) + 1 for column in self.columns if column.role == "category")

    @property
    def n_numbers(self) -> int:
        """How many numbers the other columns give; -1 if a column lacks a center or scale for one of its numbers."""
        numbers = [column for column in self.columns if column.role != "category"]
        complete = all(len(column.center) == len(column.scale) == NUMBERS[column.role] for column in numbers)
        return sum(NUMBERS[column.role] for column in numbers) if complete else -1


def fit(frame: pd.DataFrame, rows: np.ndarray, name: str) -> tuple[TableState, dict[str, Any], list[str]]:
    """Learn every column's role and scale.

    Args:
        frame: The training rows.
        rows: ``(n,)`` how many rows each row counts for.
        name: Of the data, for messages.

    Returns:
        The state, the fields of `InputSpec` that it determines, and a sentence on each column left out.

    Raises:
        DataError: No column is left to learn from.
    """
    left_out = columns.left_out(frame)
    kept = [column for column in frame.columns if column not in left_out]
    numerical = _numerical(frame)
    quartiles = _quartiles(frame, [column for column in kept if column in numerical], rows)
    used = tuple(_learned(frame[column], rows, quartiles.get(column)) for column in kept)
    if not used:
        raise DataError(
            f"{name} has no column to learn from: "
            + "; ".join(f"{c!r} is left out, {why}" for c, why in left_out.items())
            + "."
        )
    state = TableState(columns=used, left_out={str(key): why for key, why in left_out.items()})
    numbers, missing = _numbers(state, frame)
    shapes = {
        "n_numbers": numbers.shape[1],
        "bins": _bins(numbers, missing, rows),
        "cardinalities": state.cardinalities,
    }
    notes = [f"Column {column!r} is left out: {why}." for column, why in state.left_out.items()]
    return state, shapes, notes


def inputs(state: TableState, frame: pd.DataFrame, name: str) -> dict[str, Tensor]:
    """``numbers`` and ``missing`` ``(n, n_numbers)`` float32, and ``categories`` ``(n, n_categories)`` int64.

    Raises:
        DataError: A column that the model needs is missing.
    """
    import torch

    absent = [column.name for column in state.columns if column.name not in frame.columns]
    if absent:
        lacks = f"{name} lacks the column{'s' if len(absent) > 1 else ''} {some(map(repr, absent))}"
        raise DataError(f"{lacks} that the model was trained on; its columns are {some(map(repr, frame.columns))}.")
    numbers, missing = _numbers(state, frame)
    codes = [_codes(column, frame[column.name]) for column in state.columns if column.role == "category"]
    categories = np.stack(codes, axis=1) if codes else np.zeros((len(frame), 0), dtype=np.int64)
    return {
        "numbers": torch.from_numpy(numbers),
        "missing": torch.from_numpy(missing.astype(np.float32)),
        "categories": torch.from_numpy(categories),
    }


def _learned(column: pd.Series, rows: np.ndarray, quartiles: np.ndarray | None) -> Column:
    """A column's state; `quartiles` are those of a number."""
    import pandas as pd

    name = str(column.name)
    if pd.api.types.is_datetime64_any_dtype(column):
        parts = np.stack(_date_parts(column), axis=1)
        found = column_quantiles(parts, np.isfinite(parts), rows, QUARTILES)
        scales = [_scale(part, own) for part, own in zip(parts.T, found.T, strict=True)]
        return Column(
            name=name,
            role="date",
            center=tuple(middle for middle, _ in scales),
            scale=tuple(scale for _, scale in scales),
        )
    if quartiles is not None:
        middle, scale = _scale(column.to_numpy(dtype=np.float64, na_value=np.nan), quartiles)
        return Column(name=name, role="number", center=(middle,), scale=(scale,))
    text = _as_text(column)
    frequent = pd.Series(rows, text.index).groupby(text, sort=False).sum().sort_values(ascending=False, kind="stable")
    return Column(name=name, role="category", categories=tuple(frequent.index[:MOST_CATEGORIES]))


def _numerical(frame: pd.DataFrame) -> set[Any]:
    """The columns that come as numbers."""
    import pandas as pd

    return {
        name
        for name, dtype in zip(frame.columns, frame.dtypes, strict=True)
        if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)
    }


def _quartiles(frame: pd.DataFrame, names: list[Any], rows: np.ndarray) -> dict[Any, np.ndarray]:
    """Name -> ``(3,)`` quartiles of each numerical column's finite values."""
    found: dict[Any, np.ndarray] = {}
    for block in _blocks(names, len(frame)):
        values = frame[block].to_numpy(dtype=np.float64, na_value=np.nan)
        found |= dict(zip(block, column_quantiles(values, np.isfinite(values), rows, QUARTILES).T, strict=True))
    return found


def _blocks(columns: list[Any], n: int) -> Iterator[list[Any]]:
    """The columns in parts that together have a bounded number of cells."""
    step = max(1, BLOCK_CELLS // max(n, 1))
    yield from (columns[start : start + step] for start in range(0, len(columns), step))


def _numbers(state: TableState, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """All numbers, scaled and softly clipped, 0 where missing; and a mask of the missing ones."""
    used = [column for column in state.columns if column.role != "category"]
    shape = (len(frame), sum(NUMBERS[column.role] for column in used))
    numbers, missing = np.zeros(shape, np.float32), np.zeros(shape, bool)
    start = 0
    for block in _alike(used, frame):
        scaled = _raw_numbers(block, frame)
        scaled = (scaled - np.concatenate([column.center for column in block])) * np.concatenate(
            [column.scale for column in block]
        )
        # np.hypot, because the square of a number beyond 1e154 is infinite.
        scaled /= np.hypot(1, scaled / CLIP)
        places = slice(start, start + scaled.shape[1])
        missing[:, places] = np.isnan(scaled)
        numbers[:, places] = np.where(missing[:, places], 0, scaled)
        start = places.stop
    return numbers, missing


def _alike(used: Sequence[Column], frame: pd.DataFrame) -> Iterator[list[Column]]:
    """Neighbouring columns that are read together: numbers that come as numbers, and every other column alone."""
    numerical = _numerical(frame)
    for together, group in itertools.groupby(used, lambda column: column.role == "number" and column.name in numerical):
        alike = list(group)
        yield from _blocks(alike, len(frame)) if together else ([column] for column in alike)


def _raw_numbers(block: Sequence[Column], frame: pd.DataFrame) -> np.ndarray:
    """``(n, numbers)`` of some numerical columns, or of one column of dates; NaN where they are missing or infinite."""
    import pandas as pd

    first = block[0]
    if first.role == "date":
        return np.stack(_date_parts(pd.to_datetime(frame[first.name], errors="coerce")), axis=1)
    if len(block) == 1:
        # A column that was numerical in training may come as text, or all empty, at prediction.
        numbers = pd.to_numeric(frame[first.name], errors="coerce").to_numpy(np.float64, na_value=np.nan)[:, None]
    else:
        numbers = frame[[column.name for column in block]].to_numpy(np.float64, na_value=np.nan)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _date_parts(column: pd.Series) -> list[np.ndarray]:
    """Days since 1970, month, day of the week and hour; NaN where the date is missing."""
    if getattr(column.dt, "tz", None) is not None:
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    # Nanoseconds would end in 2262, and "no end" is often written as the year 9999.
    column = column.astype("datetime64[us]")
    days = column.astype("int64").where(column.notna()) / MICROSECONDS_PER_DAY
    return [
        part.to_numpy(dtype=np.float64, na_value=np.nan)
        for part in (days, column.dt.month, column.dt.day_of_week, column.dt.hour)
    ]


def _scale(values: np.ndarray, quartiles: np.ndarray) -> tuple[float, float]:
    """Median, and 1 / (interquartile range), or 2 / (whole range) where the quartiles are equal."""
    low, middle, high = quartiles
    if np.isnan(middle):  # no known value
        return 0.0, 0.0
    if high > low:
        return float(middle), float(1 / (high - low))
    known = values[np.isfinite(values)]
    spread = known.max() - known.min()
    return float(middle), float(2 / spread) if spread > 0 else 0.0


def _bins(numbers: np.ndarray, missing: np.ndarray, rows: np.ndarray) -> tuple[tuple[float, ...], ...]:
    """Per column, distinct quantiles as bin edges, at least two. With few rows there are fewer, so that each bin has
    about ten rows or more."""
    counts = rows.sum() - rows @ missing
    wanted = np.clip(counts // ROWS_PER_BIN, 2, MOST_BINS).astype(np.int64)
    bins: list[tuple[float, ...]] = [()] * numbers.shape[1]
    for number in np.unique(wanted):
        alike = np.flatnonzero(wanted == number)
        for block in _blocks(alike.tolist(), len(numbers)):
            shares = np.linspace(0, 1, number + 1)
            found = column_quantiles(numbers[:, block], ~missing[:, block], rows, shares)
            for column, edges in zip(block, found.T, strict=True):
                bins[column] = _edges(edges)
    return tuple(bins)


def _edges(found: np.ndarray) -> tuple[float, ...]:
    edges = np.zeros(1) if np.isnan(found[0]) else np.unique(found)
    if len(edges) < 2:
        edges = np.array([edges[0] - 0.5, edges[0] + 0.5])
    return tuple(edges.tolist())


def _codes(column: Column, values: pd.Series) -> np.ndarray:
    """``(n,)`` codes; each distinct value is turned into text and looked up once."""
    import pandas as pd

    place = {value: code for code, value in enumerate(column.categories, start=1)}
    # Objects are turned into text first: True, 1 and 1.0 are equal to `factorize`, but not as text.
    which, distinct = pd.factorize(_as_text(values) if values.dtype == object else values)
    # The last entry is for missing values, to which `factorize` gives the code -1.
    known = np.array([*_as_text(pd.Series(distinct)).map(place).fillna(0), 0], dtype=np.int64)
    coded: np.ndarray = known[which]
    return coded


def _as_text(values: pd.Series) -> pd.Series:
    """Categories as text, so that 1, 1.0 and "1" are one value however the file was read; missing values stay
    missing."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        text = values.astype("object").map(lambda value: _spelled(value), na_action="ignore")
    else:
        text = values.astype("object").map(lambda value: unicodedata.normalize("NFC", str(value)), na_action="ignore")
    return text.where(values.notna(), None)


def _spelled(value: Any) -> str:
    return str(int(value)) if isinstance(value, float | np.floating) and float(value).is_integer() else str(value)

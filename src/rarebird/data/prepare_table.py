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
from rarebird.data import columns, table_scales
from rarebird.data.row_counts import column_quantiles
from rarebird.data.schema import MOST_CATEGORIES

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

    from rarebird.data.sources import Frame

CLIP = 3.0
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


def fit(
    source: Frame, index: np.ndarray, rows: np.ndarray, name: str, seed: int = 0
) -> tuple[TableState, dict[str, Any], list[str]]:
    """Learn every column's role and scale; the quantiles of a large table are those of a random sample of its rows.

    Args:
        source: A table.
        index: ``(n,)`` its training rows.
        rows: ``(n,)`` how many rows each row counts for.
        name: Of the data, for messages.
        seed: Chooses the sample.

    Returns:
        The state, the fields of `InputSpec` that it determines, and a sentence on each column left out.

    Raises:
        DataError: No column is left to learn from.
    """
    left_out = columns.left_out_of(source, index)
    some = source.sampled(index, seed)
    frame, counted = source.rows(index[some]), rows[some]
    kept = [column for column in frame.columns if column not in left_out]
    numerical = _numerical(frame)
    quartiles = table_scales.quartiles(frame, [column for column in kept if column in numerical], counted)
    others = [column for column in kept if column not in numerical and frame[column].dtype.kind != "M"]
    categories = _categories(source, index, others, rows)
    used = tuple(
        _learned(frame[column], counted, quartiles.get(column))
        if column not in categories
        else Column(name=str(column), role="category", categories=categories[column])
        for column in kept
    )
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
        "bins": table_scales.bins(numbers, missing, counted),
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
    """The state of a column of dates, or of numbers, which have `quartiles`."""
    name = str(column.name)
    if quartiles is None:
        parts = np.stack(_date_parts(column), axis=1)
        found = column_quantiles(parts, np.isfinite(parts), rows, table_scales.QUARTILES)
        scales = [table_scales.scale(part, own) for part, own in zip(parts.T, found.T, strict=True)]
        return Column(
            name=name,
            role="date",
            center=tuple(middle for middle, _ in scales),
            scale=tuple(scale for _, scale in scales),
        )
    middle, scale = table_scales.scale(column.to_numpy(dtype=np.float64, na_value=np.nan), quartiles)
    return Column(name=name, role="number", center=(middle,), scale=(scale,))


def _categories(source: Frame, index: np.ndarray, names: list[Any], rows: np.ndarray) -> dict[Any, tuple[str, ...]]:
    """Name -> the most frequent values as text, counted in all rows."""
    import pandas as pd

    if not names:
        return {}
    counts: dict[Any, list[pd.DataFrame]] = {name: [] for name in names}
    start, order = 0, source.reading_order(index)
    for frame in source.only(names).chunks(index[order]):
        place = order[start : start + len(frame)]
        seen = pd.DataFrame({"rows": rows[place], "first": place})
        for name in names:
            counts[name].append(_summed(seen.set_index(_as_text(frame[name]))))
        start += len(frame)

    def frequent(parts: list[pd.DataFrame]) -> tuple[str, ...]:
        whole = parts[0] if len(parts) == 1 else _summed(pd.concat(parts))
        return tuple(whole.sort_values(["rows", "first"], ascending=[False, True]).index[:MOST_CATEGORIES])

    return {name: frequent(parts) for name, parts in counts.items()}


def _summed(values: pd.DataFrame) -> pd.DataFrame:
    """For each value of the index the rows, and the place of the first one."""
    found: pd.DataFrame = values.groupby(level=0, sort=False).agg({"rows": "sum", "first": "min"})
    return found


def _numerical(frame: pd.DataFrame) -> set[Any]:
    """The columns that come as numbers."""
    import pandas as pd

    return {
        name
        for name, dtype in zip(frame.columns, frame.dtypes, strict=True)
        if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)
    }


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
        yield from table_scales.blocks(alike, len(frame)) if together else ([column] for column in alike)


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

"""A column of text cells, before it has a type: trimmed, with missing cells, and each distinct text once."""

from __future__ import annotations

from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from rarebird.readers.spellings import INVISIBLE, MISSING, MISSING_AMONG_VALUES

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


class TextColumn:
    """The cells of one column.

    Args:
        cells: ``(n,)`` text, as the file has it; null where a cell is missing.
    """

    def __init__(self, cells: pa.ChunkedArray) -> None:
        self.cells = cells

    def __len__(self) -> int:
        return len(self.cells)

    @cached_property
    def filled(self) -> pa.ChunkedArray:
        """Cells without blanks around them; null where a cell means a missing value in every column."""
        return without(self.visible, MISSING)

    def text_values(self) -> pd.Series:
        """The column as text, None where a cell is missing."""
        values: pd.Series = self.filled.to_pandas()
        return values

    @cached_property
    def trimmed(self) -> pa.ChunkedArray:
        """Cells without blanks around them."""
        import pyarrow.compute as pc

        return pc.utf8_trim_whitespace(self.cells)

    @property
    def visible(self) -> pa.ChunkedArray:
        """Cells without blanks around them and without signs that nobody sees."""
        return visible(self.cells)

    @property
    def has_text(self) -> bool:
        """Whether any cell holds more than blanks."""
        import pyarrow.compute as pc

        return bool(pc.any(pc.not_equal(self.trimmed, "")).as_py())

    @cached_property
    def _encoded(self) -> pa.DictionaryArray:
        return self.filled.combine_chunks().dictionary_encode()

    @property
    def distinct(self) -> pa.Array:
        """Each text once, without missing ones, in the order of its first row."""
        return self._encoded.dictionary

    @cached_property
    def codes(self) -> np.ndarray:
        """``(n,)`` positions in `distinct`; -1 where a cell is missing."""
        import pyarrow.compute as pc

        return np.asarray(pc.fill_null(self._encoded.indices, -1).to_numpy(zero_copy_only=False), dtype=np.int64)

    @cached_property
    def counts(self) -> np.ndarray:
        """How many cells have each distinct text."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.distinct))

    @cached_property
    def marks(self) -> np.ndarray:
        """Whether each distinct text means a missing value in a column of numbers, dates, or yes and no."""
        import pyarrow.compute as pc

        return np.asarray(pc.is_in(pc.utf8_lower(self.distinct), texts(*MISSING_AMONG_VALUES)), dtype=bool)

    def with_marks(self, chosen: np.ndarray) -> TextColumn:
        """The column, in which the chosen distinct texts mean a missing value, too."""
        other = copy(self)
        other.marks = self.marks | chosen
        return other

    @property
    def present(self) -> np.ndarray:
        """``(n,)`` whether a cell is not missing."""
        return self.codes >= 0

    def rows_of(self, chosen: np.ndarray) -> np.ndarray:
        """``(n,)`` which cells have one of the chosen distinct texts."""
        marked: np.ndarray = np.append(chosen, False)[self.codes]
        return marked

    def positions(self, chosen: np.ndarray) -> list[int]:
        """Positions of the cells that have one of the chosen distinct texts."""
        return np.flatnonzero(self.rows_of(chosen)).tolist()

    def spread(self, values: list[Any]) -> pd.Series:
        """One value for each distinct text, spread over the cells; None where a cell is missing."""
        import pandas as pd
        import pyarrow as pa

        if all(value is None or isinstance(value, str) for value in values):
            picked = pa.array(values, pa.string()).take(pa.array(self.codes, mask=self.codes < 0))
            texts_of_rows: pd.Series = picked.to_pandas()
            return texts_of_rows
        padded = np.empty(len(values) + 1, dtype=object)
        padded[:-1] = values
        series = pd.Series(padded[self.codes])
        return series if series.isna().any() else series.infer_objects()


def visible(cells: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """Cells without blanks around them and without signs that nobody sees."""
    import pyarrow.compute as pc

    if not pc.all(pc.string_is_ascii(cells)).as_py():
        cells = pc.replace_substring_regex(cells, INVISIBLE, "")
    return pc.utf8_trim_whitespace(cells)


def texts(*words: str) -> pa.Array:
    """Texts as Arrow holds them."""
    import pyarrow as pa

    return pa.array(words, pa.string())


def without(cells: pa.ChunkedArray, words: tuple[str, ...]) -> pa.ChunkedArray:
    """Cells with null in place of the words, in upper or lower case."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.if_else(pc.is_in(pc.utf8_lower(cells), texts(*words)), pa.scalar(None, pa.string()), cells)


def of_series(series: pd.Series) -> TextColumn:
    """The values of a column of any type as text: 1.0 as "1", a date as ISO 8601 writes it."""
    import pandas as pd
    import pyarrow as pa

    kind = series.dtype.kind
    if kind == "M":
        values = series.dt.strftime("%Y-%m-%dT%H:%M:%S.%f")
    elif kind in "iufb" or (kind == "O" and pd.api.types.infer_dtype(series, skipna=True) == "boolean"):
        values = series.astype("object").map(spelled, na_action="ignore")
    else:
        values = series
    cells = pa.Array.from_pandas(values.astype("object"), type=pa.string())
    return TextColumn(pa.chunked_array([cells]))


def spelled(value: Any) -> str:
    """A value as text; a whole number without a decimal point, so that 1, 1.0 and "1" are one value."""
    return str(int(value)) if isinstance(value, float | np.floating) and float(value).is_integer() else str(value)

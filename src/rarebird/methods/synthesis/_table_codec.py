"""Rows of a table as complete numbers and category codes, and back: what all generators of tables learn from.

Numbers and dates become normal scores: a value's rank among the training rows, as a quantile of the standard normal
distribution, equal values spread at random over their ranks. Back, a score becomes the value of that rank, between
neighboring values on a line. So bounds, gaps between values and values that many rows share come back as such; whole
numbers (or days, or a fixed number of decimals) stay what they are. Rows of rare classes count more in the ranks
(``1 / sqrt(rows of the class)``), so that their values are told apart.

A missing number is 0, with a category column of its own that says so. A missing category is a category. The rarest
categories of a column share one code, from which one of them is drawn in proportion to its rows. Columns that identify
rows get numbers or names that no row has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from rarebird.core.checks import DataError
from rarebird.data.column_values import as_float, like, roles_of
from rarebird.data.dataset import Dataset, Frame
from rarebird.data.row_counts import rows_of
from rarebird.methods.synthesis import _table_cells
from rarebird.methods.synthesis._table_cells import MOST_CODES

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Encoded:
    """Rows as numbers and codes.

    Attributes:
        numbers: ``(n, n_numbers)`` float64 normal scores, 0 where missing.
        codes: ``(n, n_codes)`` int64: the category columns, and after them for each number column with missing cells
            whether the cell is missing.
        known: ``(n, n_numbers)`` bool, the cells that are not missing.
    """

    numbers: np.ndarray
    codes: np.ndarray
    known: np.ndarray


@dataclass(frozen=True, eq=False)
class TableCodec:
    """The columns of a table as they are in the training rows.

    Attributes:
        frame: A frame without rows, with the names and types of the columns.
        numbers: Number or date column -> (distinct values, first rank, last rank), each ``(k,)``; ranks are shares.
        steps: Number or date column -> number that all values are multiples of; 0 if there is none.
        with_gaps: Number or date columns with missing cells.
        categories: Category column -> its values, the most frequent first.
        shares: Category column -> ``(k,)`` share of the rows of each value.
        identifiers: Column that identifies rows -> its largest value; 0 for text.
    """

    frame: pd.DataFrame
    numbers: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=dict)
    steps: dict[str, float] = field(default_factory=dict)
    with_gaps: tuple[str, ...] = ()
    categories: dict[str, list[Any]] = field(default_factory=dict)
    shares: dict[str, np.ndarray] = field(default_factory=dict)
    identifiers: dict[str, int] = field(default_factory=dict)
    _positions: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def fit(cls, train: Dataset) -> TableCodec:
        """The columns of training rows."""
        frame, codes = train.raw(), train.codes
        count = rows_of(train.weights)
        weight = count / np.sqrt(np.maximum(np.bincount(codes, count), 1e-12))[codes]
        codec, gaps = cls(frame.iloc[:0]), []
        for name, role in roles_of(frame).items():
            column = frame[name]
            if role == "identifier":
                codec.identifiers[name] = int(column.max()) if column.dtype.kind in "iu" else 0
            elif role == "category":
                codec.categories[name], codec.shares[name] = _table_cells.categories_of(column, count)
            else:
                cells = as_float(column)
                values = np.where(np.isfinite(cells), cells, np.nan)
                codec.numbers[name] = _table_cells.ranks(values, weight)
                codec.steps[name] = _table_cells.step_of(column, codec.numbers[name][0])
                gaps += [name] if np.isnan(values).any() else []
        return cls(**{**codec.__dict__, "with_gaps": tuple(gaps)})

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Number of codes of each column of `Encoded.codes`."""
        columns = [min(len(values), MOST_CODES) for values in self.categories.values()]
        return (*columns, *(2 for _ in self.with_gaps))

    def encode(self, rows: Dataset, draw: np.random.Generator, ranked: bool = True) -> Encoded:
        """Rows as numbers and codes; `draw` spreads equal values over their ranks.

        Where they are not `ranked`, numbers are standardized after the power transformation of Yeo and Johnson: gaps
        between values stay gaps.
        """
        from scipy.special import ndtri

        frame = rows.raw()
        numbers = np.zeros((len(rows), len(self.numbers)))
        known = np.ones(numbers.shape, bool)
        for place, (name, (values, first, last)) in enumerate(self.numbers.items()):
            cells = as_float(frame[name])
            known[:, place] = np.isfinite(cells)
            own = np.where(known[:, place], cells, 0.0)
            if not ranked:
                numbers[:, place] = np.where(known[:, place], np.interp(own, values, self.positions(name)), 0.0)
                continue
            at = draw.random(len(rows))
            rank = (1 - at) * np.interp(own, values, first) + at * np.interp(own, values, last)
            numbers[:, place] = np.where(known[:, place], ndtri(rank), 0.0)
        coded = [_table_cells.codes_of(frame[name], values) for name, values in self.categories.items()]
        names = list(self.numbers)
        coded += [(~known[:, names.index(name)]).astype(np.int64) for name in self.with_gaps]
        codes = np.stack(coded, axis=1) if coded else np.zeros((len(rows), 0), np.int64)
        return Encoded(numbers, codes, known)

    def decode(self, numbers: np.ndarray, codes: np.ndarray, draw: np.random.Generator, ranked: bool = True) -> Frame:
        """Numbers and codes as raw rows; `draw` chooses among the rarest categories of a column."""
        import pandas as pd
        from scipy.special import ndtr

        n, made, gap = len(numbers), {}, len(self.categories)
        for place, (name, (values, first, last)) in enumerate(self.numbers.items()):
            if ranked:
                knots = np.column_stack([first, last]).ravel()
                cells = np.interp(ndtr(numbers[:, place]), knots, np.repeat(values, 2))
            else:
                cells = np.interp(
                    _table_cells.out_of_gaps(numbers[:, place], self.positions(name)), self.positions(name), values
                )
            step = self.steps[name]
            cells = np.clip(np.rint(cells / step) * step, values[0], values[-1]) if step else cells
            if name in self.with_gaps:
                cells = np.where(codes[:, gap + self.with_gaps.index(name)] == 1, np.nan, cells)
            made[name] = like(self.frame[name], _table_cells.decimal(cells, step))
        for place, (name, known) in enumerate(self.categories.items()):
            made[name] = _table_cells.cells_of(codes[:, place], known, self.shares[name], self.frame[name].dtype, draw)
        for name, largest in self.identifiers.items():
            column = self.frame[name]
            fresh: Any = (
                largest + 1 + np.arange(n) if column.dtype.kind in "iu" else [f"synthetic {row}" for row in range(n)]
            )
            made[name] = pd.Series(fresh).astype(column.dtype)
        return Frame(pd.DataFrame({name: made[name] for name in map(str, self.frame.columns)}))

    def positions(self, name: str) -> np.ndarray:
        """``(k,)`` a column's distinct values after the power transformation of Yeo and Johnson ("A new family of power
        transformations to improve normality or symmetry", Biometrika 2000), with mean 0 and variance 1."""
        if name not in self._positions:
            self._positions[name] = _table_cells.straightened(self.numbers[name][0])
        return self._positions[name]

    def state(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "numbers": list(self.numbers),
            "steps": self.steps,
            "with_gaps": list(self.with_gaps),
            "categories": {
                name: [_table_cells.plain(value) for value in values] for name, values in self.categories.items()
            },
            "identifiers": self.identifiers,
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Arrays for safetensors."""
        parts = {f"number {place}": np.stack(ranks) for place, ranks in enumerate(self.numbers.values())}
        return parts | {f"category {place}": shares for place, shares in enumerate(self.shares.values())}

    @classmethod
    def restore(cls, like: Dataset, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> TableCodec:
        """The codec from its plain values and arrays, with rows `like` those that it was fitted to.

        Raises:
            DataError: They do not fit each other, or these rows.
        """
        assert isinstance(like.source, Frame)
        frame = like.source.frame.iloc[:0]
        try:
            given = [*state["numbers"], *state["categories"], *state["identifiers"]]
            numbers = {name: tuple(arrays[f"number {place}"]) for place, name in enumerate(state["numbers"])}
            shares = {name: arrays[f"category {place}"] for place, name in enumerate(state["categories"])}
            fits = all(len(ranks) == 3 for ranks in numbers.values()) and sorted(given) == sorted(map(str, frame))
            fits = fits and all(len(shares[name]) == len(values) for name, values in state["categories"].items())
            fits = fits and set(state["with_gaps"]) <= set(numbers) == set(state["steps"])
        except (KeyError, TypeError):
            fits = False
        if not fits:
            raise DataError(f"The generator was not fitted to rows like those of {like.name}; fit it again.")
        found: dict[str, Any] = {name: list(values) for name, values in state["categories"].items()}
        gaps, identifiers = tuple(state["with_gaps"]), dict(state["identifiers"])
        return cls(frame, numbers, dict(state["steps"]), gaps, found, shares, identifiers)

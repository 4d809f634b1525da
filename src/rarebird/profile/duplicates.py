"""Rows that are copies of one another, exactly or nearly: within a part, across the split, and with two labels.

- *Pictures*: exact at their working size; near by `perceptual_hash`.
- *Series*: exact value by value; near if they correlate by .9999 after scaling, and clearly more than with other
  similar series.
- *Tables*: exact in every feature that the model uses (no identifier, no constant); near if the numbers agree in six
  significant digits and everything else is equal.

Equal rows of a table may be due to chance: `expected_equal_pairs` is the number of equal pairs that independent columns
would give. From 0.01 on (three small whole numbers per patient, a handful of categories), or where over 100 rows are
all equal (an empty measurement, a default), equal rows are reported as chance, and the split does not keep them
together.

A chain of more than 100 near duplicates is a sequence of similar rows, not of copies; only its exact duplicates stay
together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from rarebird.data import columns
from rarebird.data.dataset import Dataset, Frame
from rarebird.data.fingerprint import row_digests, table_digests
from rarebird.profile.equal_pairs import expected_equal_pairs as expected_equal_pairs
from rarebird.profile.equal_pairs import expected_in_tables
from rarebird.profile.perceptual_hash import near_pairs, picture_coefficients, unit, whitened

NEAR_ROWS = 100_000
# Cells of a table above which near duplicates are not searched: to round them takes a minute.
NEAR_CELLS = 2**30
_LONGEST_CHAIN = 100
_CHANCE_PAIRS = 0.01
_DIGITS = 6
_SERIES_CELLS = 512
_SERIES_CORRELATION = 0.9999
_EXAMPLES = 5


class Duplicates(BaseModel):
    """Rows of a second part that are copies of a row of the first.

    Attributes:
        exact: Rows of the second part that equal one of the first.
        near: Further rows that are near duplicates.
        examples: A few pairs of ids, (first part, second part).
        chance: Equal rows are to be expected (tables of few distinct values or with a default row).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    exact: int = 0
    near: int = 0
    examples: tuple[tuple[str, str], ...] = ()
    chance: bool = False


class Conflicts(BaseModel):
    """Equal rows with different targets.

    Attributes:
        rows: Rows that equal another one with a different target.
        examples: A few pairs, ((id, target), (id, target)).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int = 0
    examples: tuple[tuple[tuple[str, str], tuple[str, str]], ...] = ()


@dataclass(frozen=True)
class Matches:
    """Which rows of several parts, stacked in order, equal one another.

    Attributes:
        exact: ``(n,)`` int64 codes, equal for exact duplicates.
        near: ``(n,)`` int64 codes, equal for exact and near duplicates and chains of them.
        chance: Equal rows are to be expected by chance.
        near_searched: Whether near duplicates were searched.
    """

    exact: np.ndarray
    near: np.ndarray
    chance: bool = False
    near_searched: bool = True

    @property
    def groups(self) -> np.ndarray:
        """``(n,)`` int64 codes, shared by rows that the split must keep together; all different where equal rows are to
        be expected by chance."""
        return np.arange(len(self.near)) if self.chance else self.near


def duplicate_groups(dataset: Dataset, *, near: bool = True) -> np.ndarray:
    """``(n,)`` int64 codes, shared by rows that the split must keep together (`Matches.groups`)."""
    return find([dataset], near=near).groups


def find(parts: Sequence[Dataset], *, near: bool = True) -> Matches:
    """Exact and near duplicates among all rows of the parts, which are of one kind.

    Args:
        parts: Data sets whose rows are stacked in order.
        near: Whether to search near duplicates too; above 100,000 distinct pictures or series, and in tables of more
            than a billion cells, they are not searched.
    """
    if parts[0].kind == "table":
        return _find_in_tables(parts, near)
    exact, first = _codes(np.concatenate([row_digests(part) for part in parts]))
    if not near or len(first) > NEAR_ROWS:
        return Matches(exact, exact, near_searched=False)
    pairs = _picture_pairs(parts, first) if parts[0].kind == "image" else _series_pairs(parts, first)
    return Matches(exact, _chained(pairs, exact))


def between(matches: Matches, first: np.ndarray, second: np.ndarray, start: int | None = None) -> Duplicates:
    """Copies across two of the parts that `find` compared.

    Args:
        matches: Matches over stacked parts, `first` in front.
        first: Ids of the first part.
        second: Ids of the second part.
        start: Where the second part begins; None: right after the first.
    """
    start = len(first) if start is None else start
    here, there = slice(0, len(first)), slice(start, start + len(second))
    exact = np.isin(matches.exact[there], matches.exact[here])
    near = np.isin(matches.near[there], matches.near[here]) & ~exact
    rows = np.concatenate([np.flatnonzero(exact), np.flatnonzero(near)])[:_EXAMPLES]
    partners = [_first_like(matches, start + row, here) for row in rows]
    examples = tuple((str(first[partner]), str(second[row])) for partner, row in zip(partners, rows, strict=True))
    return Duplicates(exact=int(exact.sum()), near=int(near.sum()), examples=examples, chance=matches.chance)


def within(matches: Matches, ids: np.ndarray) -> Duplicates:
    """Rows of the first part that are copies of an earlier row of it."""
    n = len(ids)
    exact = _repeated(matches.exact[:n])
    near = _repeated(matches.near[:n]) & ~exact
    rows = np.concatenate([np.flatnonzero(exact), np.flatnonzero(near)])[:_EXAMPLES]
    partners = [_first_like(matches, row, slice(0, n)) for row in rows]
    examples = tuple((str(ids[partner]), str(ids[row])) for partner, row in zip(partners, rows, strict=True))
    return Duplicates(exact=int(exact.sum()), near=int(near.sum()), examples=examples, chance=matches.chance)


def conflicts(matches: Matches, dataset: Dataset) -> Conflicts:
    """Equal rows of the first part, which is `dataset`, with different targets."""
    n = len(dataset)
    if dataset.y is None or n == 0:
        return Conflicts()
    code = matches.exact[:n]
    rows = np.flatnonzero(np.bincount(code)[code] > 1)
    if not len(rows):
        return Conflicts()
    target = (dataset.codes if dataset.task == "classification" else dataset.y)[rows]
    code = code[rows]
    order = np.lexsort((target, code))
    starts = np.flatnonzero(np.diff(code[order], prepend=-1))
    stops = np.append(starts[1:], len(rows)) - 1
    # Equal rows are sorted by their target: they conflict where the first and the last target differ.
    conflicting = target[order[starts]] != target[order[stops]]
    pairs = zip(order[starts[conflicting]][:_EXAMPLES], order[stops[conflicting]][:_EXAMPLES], strict=True)
    examples = tuple((_id_and_target(dataset, rows[one]), _id_and_target(dataset, rows[other])) for one, other in pairs)
    return Conflicts(rows=int((stops - starts + 1)[conflicting].sum()), examples=examples)


def _find_in_tables(parts: Sequence[Dataset], near: bool) -> Matches:
    tables = [(part.source, part.index) for part in parts if isinstance(part.source, Frame)]
    # Only what the model will see: an identifier differs in a copy, too, and a column that never varies tells nothing.
    unused = columns.left_out_of(*tables[0])
    shared = set.intersection(*(set(source.frame.columns) for source, _ in tables))
    names = [name for name in tables[0][0].frame.columns if name in shared and str(name) not in unused]
    n = sum(len(index) for _, index in tables)
    if not names:
        return Matches(np.arange(n), np.arange(n), near_searched=near)
    exact, first = _codes(np.concatenate([table_digests(source, index, names) for source, index in tables]))
    # Computed on the distinct rows, so that a table that was copied twice does not look like one of few values.
    expected = expected_in_tables(tables, names, first, _CHANCE_PAIRS)
    chance = expected >= _CHANCE_PAIRS or int(np.bincount(exact).max(initial=0)) > _LONGEST_CHAIN
    if chance or not near or n * len(names) > NEAR_CELLS:
        return Matches(exact, exact, chance, near_searched=False)
    rounded = [table_digests(source, index, names, _rounded) for source, index in tables]
    return Matches(exact, _codes(np.concatenate(rounded))[0])


def _rounded(values: np.ndarray) -> np.ndarray:
    """Numbers rounded to six significant digits."""
    finite = np.isfinite(values) & (values != 0)
    size = np.abs(np.where(finite, values, 1))
    power = 10.0 ** np.clip(_DIGITS - 1 - np.floor(np.log10(size)), -300, 300)
    return np.where(finite, np.round(values * power) / power, values)


def _codes(digests: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``(n,)`` codes of equal digests, and the first row of each code."""
    keys = digests.view("u8").reshape(len(digests), digests.dtype.itemsize // 8)
    _, first, code = np.unique(
        keys if keys.shape[1] > 1 else keys[:, 0], axis=0, return_index=True, return_inverse=True
    )
    return code.reshape(-1).astype(np.int64), first


def _picture_pairs(parts: Sequence[Dataset], first: np.ndarray) -> np.ndarray:
    """Near pairs among the distinct pictures, as pairs of exact codes."""
    return near_pairs(*whitened(np.concatenate([picture_coefficients(part) for part in parts])[first]))


def _series_pairs(parts: Sequence[Dataset], first: np.ndarray) -> np.ndarray:
    """Near pairs among the distinct series: searched by means over short stretches, confirmed by all values."""
    raws = [part.raw() for part in parts]
    length = max(values.shape[2] for values, _ in raws)
    values = np.concatenate(
        [np.pad(v, ((0, 0), (0, 0), (0, length - v.shape[2])), constant_values=np.nan) for v, _ in raws]
    )[first]
    lengths = np.concatenate([lengths for _, lengths in raws])[first]
    known = np.isfinite(values)
    means = np.where(known, values, 0).sum((1, 2)) / np.maximum(known.sum((1, 2)), 1)
    centred = np.where(known, values - means[:, None, None], 0)
    stretch = -(-values.shape[1] * length // _SERIES_CELLS)
    padded = np.pad(centred, ((0, 0), (0, 0), (0, -length % stretch)))
    short = padded.reshape(len(values), values.shape[1], padded.shape[2] // stretch, stretch).mean(axis=3)
    low, high = (unit(rows.reshape(len(rows), math.prod(rows.shape[1:]))) for rows in (short, centred))
    pairs = near_pairs(low, high, least=_SERIES_CORRELATION, least_high=_SERIES_CORRELATION)
    return np.asarray(pairs[lengths[pairs[:, 0]] == lengths[pairs[:, 1]]])


def _chained(pairs: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """``(n,)`` codes of the connected components that near pairs (of exact codes) form."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    size = int(exact.max(initial=-1)) + 1
    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    _, component = connected_components(graph, directed=False)
    long = np.bincount(component)[component] > _LONGEST_CHAIN
    code = np.where(long, np.arange(size) + size, component)[exact]
    return np.asarray(np.unique(code, return_inverse=True)[1].reshape(-1), dtype=np.int64)


def _first_like(matches: Matches, row: int, part: slice) -> int:
    """The first row of `part` that equals `row`; the first that is near it if none does."""
    exact = matches.exact[part] == matches.exact[row]
    if part.start <= row < part.stop:
        exact[row - part.start] = False
    return int(np.argmax(exact if exact.any() else matches.near[part] == matches.near[row]))


def _repeated(codes: np.ndarray) -> np.ndarray:
    """Mask of the rows whose code an earlier row has."""
    rows = np.arange(len(codes))
    first = np.zeros(int(codes.max(initial=-1)) + 1, np.int64)
    # Of several rows the last one written stays.
    first[codes[::-1]] = rows[::-1]
    mask: np.ndarray = first[codes] != rows
    return mask


def _id_and_target(dataset: Dataset, row: int) -> tuple[str, str]:
    assert dataset.y is not None
    label = dataset.classes[dataset.codes[row]] if dataset.task == "classification" else f"{dataset.y[row]:.6g}"
    return str(dataset.ids[row]), label

"""Generators with planted faults, made of real rows: each gives rows that the gate must reject, except `real`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from rarebird.core.compute import Compute
from rarebird.data.dataset import Curves, Dataset, Frame, Pixels, Source
from rarebird.slots.synthetic_rows import Generated


@dataclass(frozen=True)
class At:
    """What a fault may use: rows that the generator knows, unseen ones, the number of the part, and randomness."""

    known: Dataset
    reserve: Dataset
    place: int
    draw: np.random.Generator


# Rows of each other class in a draw, at most.
MOST_OTHERS = 600
Fault = Callable[[At, int, int], Dataset]


def of_class(rows: Dataset, code: int) -> Dataset:
    return rows.take(np.flatnonzero(rows.codes == code))


def some(rows: Dataset, n: int, at: At) -> Dataset:
    """`n` of the rows in a random order; each part starts with others, so that no row is new in two parts."""
    order = np.random.default_rng(len(rows)).permutation(len(rows))
    order = np.roll(order, -at.place * -(-len(rows) // 3))
    return rows.take(np.concatenate([order] * -(-n // len(rows)))[:n])


def real(at: At, code: int, n: int) -> Dataset:
    return some(of_class(at.reserve, code), n, at)


def copier(at: At, code: int, n: int) -> Dataset:
    return some(of_class(at.known, code), n, at)


def noisy_copier(at: At, code: int, n: int) -> Dataset:
    own = of_class(at.known, code)
    rows = some(own, n, at)
    spread = _values(own).std(axis=0)
    return _with_values(rows, _values(rows) + 0.05 * spread * at.draw.normal(size=_values(rows).shape))


def one_mode(at: At, code: int, n: int) -> Dataset:
    """Unseen rows of the quarter that is nearest to one of them."""
    own = of_class(at.reserve, code)
    values = _values(own)
    scaled = (values - values.mean(axis=0)) / np.maximum(values.std(axis=0), 1e-9)
    center = int(at.draw.integers(len(own)))
    near = np.argsort(((scaled - scaled[center]) ** 2).sum(axis=1))[: max(len(own) // 4, 2)]
    return some(own.take(near), n, at)


def class_ignored(at: At, code: int, n: int) -> Dataset:
    return some(at.reserve, n, at)


def other_class(at: At, code: int, n: int) -> Dataset:
    counts = np.bincount(at.reserve.codes, minlength=at.reserve.n_classes)
    counts[code] = 0
    return some(of_class(at.reserve, int(counts.argmax())), n, at)


def independent_columns(at: At, code: int, n: int) -> Dataset:
    rows = some(of_class(at.reserve, code), n, at)
    return _shuffled(rows, range(_width(rows)), at.draw)


def shuffled_column(at: At, code: int, n: int) -> Dataset:
    """The column that depends most on the others."""
    rows = some(of_class(at.reserve, code), n, at)
    ranks = pd.DataFrame(_values(of_class(at.reserve, code))).rank().to_numpy()
    related = np.nan_to_num(np.corrcoef(ranks + 1e-9 * at.draw.normal(size=ranks.shape), rowvar=False))
    return _shuffled(rows, [_place(rows, int((related**2).sum(axis=0).argmax()))], at.draw)


def out_of_bounds(at: At, code: int, n: int) -> Dataset:
    """In a third of the rows, one value is beyond all real ones."""
    rows = some(of_class(at.reserve, code), n, at)
    values, every = _values(rows), _values(at.known)
    place = int(every.std(axis=0).argmax())
    values[: -(-n // 3), place] = every[:, place].max() + 0.5 * np.ptp(every[:, place])
    return _with_values(rows, values)


FAULTS: dict[str, Fault] = {
    one.__name__: one
    for one in (
        copier,
        noisy_copier,
        one_mode,
        class_ignored,
        other_class,
        independent_columns,
        shuffled_column,
        out_of_bounds,
    )
}


@dataclass(frozen=True)
class Planted:
    """A generator that makes rows by a fault, of the rows that it knows and of a reserve of unseen ones."""

    fault: Fault
    reserve: Dataset
    name: str = "planted"
    ratio: float = 1.0
    weight: float = 1.0
    classes: tuple[str, ...] | None = None
    fits: list[int] = field(default_factory=list)
    least_rows: ClassVar[int] = 1

    def planned(self, train: Dataset, compute: Compute, seconds: float) -> Any:
        return self

    def fit(self, train: Dataset, compute: Compute, draw: np.random.Generator) -> Generated:
        counts = train.class_counts
        assert counts is not None
        self.fits.append(len(train))
        return Generated("planted", train, _Sampler(self.fault, train, self.reserve, len(self.fits) - 1), counts)

    def restored(self, like: Dataset, state: Any, arrays: Any) -> Generated:
        raise NotImplementedError


@dataclass(frozen=True)
class _Sampler:
    fault: Fault
    known: Dataset
    reserve: Dataset
    place: int

    def rows(self, code: int, n: int, draw: np.random.Generator) -> Source:
        return _source(self.fault(At(self.known, self.reserve, self.place, draw), code, n))

    def state(self) -> dict[str, Any]:
        return {}

    def arrays(self) -> dict[str, np.ndarray]:
        return {}


def halves(rows: Dataset, code: int, draw: np.random.Generator, most: int) -> tuple[Dataset, Dataset]:
    """A draw of at most `most` rows of one class, and more of the others, dealt into training rows and a reserve."""
    parts: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for each in range(rows.n_classes):
        own = draw.permutation(np.flatnonzero(rows.codes == each))[: most if each == code else MOST_OTHERS]
        parts[0].append(own[: len(own) // 2])
        parts[1].append(own[len(own) // 2 :])
    train, reserve = (rows.take(np.concatenate(part)) for part in parts)
    return train, reserve


def _values(rows: Dataset) -> np.ndarray:
    """``(n, width)`` the rows' numbers; gaps are column medians."""
    raw = rows.raw()
    if isinstance(raw, pd.DataFrame):
        numbers = raw.select_dtypes("number").astype(float)
        return np.array(numbers.fillna(numbers.median()).to_numpy())
    values = np.asarray(raw[0] if isinstance(raw, tuple) else raw, dtype=float).reshape(len(rows), -1)
    return np.array(np.nan_to_num(values))


def _place(rows: Dataset, number: int) -> int:
    """The place of a number among all columns."""
    raw = rows.raw()
    if not isinstance(raw, pd.DataFrame):
        return number
    return list(raw.columns).index(raw.select_dtypes("number").columns[number])


def _width(rows: Dataset) -> int:
    raw = rows.raw()
    return raw.shape[1] if isinstance(raw, pd.DataFrame) else _values(rows).shape[1]


def _with_values(rows: Dataset, values: np.ndarray) -> Dataset:
    raw = rows.raw()
    if isinstance(raw, pd.DataFrame):
        for place, name in enumerate(raw.select_dtypes("number").columns):
            raw[name] = values[:, place]
        source: Source = Frame(raw)
    elif isinstance(raw, tuple):
        source = Curves(values.reshape(raw[0].shape).astype(np.float32), raw[1])
    else:
        source = Pixels(np.clip(values, 0, 255).reshape(raw.shape).astype(raw.dtype))
    return _replaced(rows, source)


def _shuffled(rows: Dataset, places: Any, draw: np.random.Generator) -> Dataset:
    raw = rows.raw()
    if isinstance(raw, pd.DataFrame):
        for place in places:
            raw.isetitem(place, raw.iloc[draw.permutation(len(raw)), place].reset_index(drop=True))
        return _replaced(rows, Frame(raw))
    values = _values(rows)
    for place in places:
        values[:, place] = values[draw.permutation(len(values)), place]
    return _with_values(rows, values)


def _replaced(rows: Dataset, source: Source) -> Dataset:
    return replace(rows, source=source, index=np.arange(len(source)))


def _source(rows: Dataset) -> Source:
    raw = rows.raw()
    if isinstance(raw, tuple):
        return Curves(*raw)
    return Frame(raw) if isinstance(raw, pd.DataFrame) else Pixels(raw)

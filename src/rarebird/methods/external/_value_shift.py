"""Do the values of another source have the same units? Each column, channel or target is compared with own rows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from rarebird.core.checks import some
from rarebird.data.dataset import Dataset
from rarebird.data.prepare import Prepared
from rarebird.metrics.multiple_tests import holm_adjusted
from rarebird.slots.external_rows import ColumnShift

# Values are said to have another unit if their distributions are this far apart, and alike after another scale and
# level: then they are at most this share as far apart, and their spreads differ at least by this factor.
FAR, ALIKE, FACTOR = 0.5, 0.4, 1.5
# Ranges that overlap less than this may be of another level alone, such as kelvin and degrees Celsius.
APART = 0.99
# A value that most rows have (no gain, no symptom) tells nothing about the unit.
COMMON = 0.5
# Share of a category's rows whose values no own row has, from which on they are named.
UNKNOWN = 0.5
LEVEL = 0.05
MOST_VALUES = 20_000


@dataclass(frozen=True)
class ValueShift:
    """What differs.

    Attributes:
        columns: Those that differ significantly, the most different first.
        units: Sentences on what seems to have another unit; such rows mislead.
        findings: Other sentences.
    """

    columns: tuple[ColumnShift, ...]
    units: tuple[str, ...]
    findings: tuple[str, ...]


def value_shift(own: Dataset, other: Dataset, prepared: Prepared, absent: tuple[str, ...]) -> ValueShift:
    """Compare the values of two sets of rows.

    Args:
        own: Own training rows.
        other: Rows of another source.
        prepared: It names the columns of a table that the model uses.
        absent: Columns that the source lacks.
    """
    found: list[tuple[str, float, float]] = []
    units: list[str] = []
    findings: list[str] = []
    target = f"target {own.target!r}"
    for name, mine, theirs in _numbers(own, other, prepared, absent):
        distance = _distance(mine, theirs)
        found.append((name, distance, _p_value(distance, min(len(mine), len(own)), min(len(theirs), len(other)))))
        where = f"column {name!r}" if own.kind == "table" and name != target else name
        if own.kind != "image" and (sentence := _unit(where, mine, theirs)):
            units.append(sentence)
    if own.kind == "image" and _is_inverted(own, other):
        units.append("the pictures look inverted: dark and bright are exchanged; invert them")
    for name, mine, theirs in _categories(own, other, prepared, absent):
        names, (a, b) = _shares(mine, theirs)
        distance = float(np.abs(a - b).sum() / 2)
        spread = len(names) / 2 * (1 / len(mine) + 1 / len(theirs))
        found.append((name, distance, min(1.0, math.exp(-2 * max(distance - math.sqrt(spread), 0) ** 2 / spread))))
        unknown = float(b[a == 0].sum())
        if unknown >= UNKNOWN:
            known = [repr(label) for label, share in zip(names, a, strict=True) if share > 0]
            strange = [repr(label) for label, share in zip(names, a, strict=True) if share == 0]
            findings.append(
                f"column {name!r}: {unknown:.0%} of the rows have values that no training row has "
                f"({some(strange, 3)}; training rows have {some(known, 3)})"
            )
    adjusted = holm_adjusted([p_value for _, _, p_value in found])
    shifts = [
        ColumnShift(name=name, distance=round(distance, 4), p_value=float(p_value))
        for (name, distance, _), p_value in zip(found, adjusted, strict=True)
        if p_value < LEVEL
    ]
    return ValueShift(tuple(sorted(shifts, key=lambda one: -one.distance)), tuple(units), tuple(findings))


def _numbers(
    own: Dataset, other: Dataset, prepared: Prepared, absent: tuple[str, ...]
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Names and finite values of the numbers of both sets."""
    if own.kind == "table":
        assert prepared.table is not None
        frames = (own.raw(), other.raw())
        for column in prepared.table.columns:
            if column.role == "number" and column.name not in absent:
                yield _finite(column.name, *(_as_numbers(frame[column.name]) for frame in frames))
    elif own.kind == "series":
        for channel in range(own.raw()[0].shape[1]):
            yield _finite(f"channel {channel}", *(part.raw()[0][:, channel].ravel() for part in (own, other)))
    else:
        yield "brightness", _brightness(own), _brightness(other)
    if own.task == "regression":
        assert own.y is not None
        assert other.y is not None
        yield _finite(f"target {own.target!r}", own.y, other.y)


def _finite(name: str, mine: np.ndarray, theirs: np.ndarray) -> tuple[str, np.ndarray, np.ndarray]:
    first, second = (values[np.isfinite(values)][:: max(1, len(values) // MOST_VALUES)] for values in (mine, theirs))
    return name, first, second


def _as_numbers(values: Any) -> np.ndarray:
    import pandas as pd

    return np.asarray(pd.to_numeric(values, errors="coerce").to_numpy(dtype=float, na_value=np.nan))


def _brightness(rows: Dataset) -> np.ndarray:
    pixels = rows.raw()
    return np.asarray(pixels.mean(axis=(1, 2, 3)) / (255.0 if pixels.dtype == np.uint8 else 1.0))


def _is_inverted(own: Dataset, other: Dataset) -> bool:
    """Whether the mean pictures are negatives of one another, and inverting makes the brightness alike."""
    means = [
        part.raw().mean(axis=0, dtype=np.float64) / (255.0 if part.raw().dtype == np.uint8 else 1.0)
        for part in (own, other)
    ]
    mine, theirs = (values.ravel() - values.mean() for values in means)
    spread = np.sqrt((mine**2).sum() * (theirs**2).sum())
    is_negative = spread > 0 and float(mine @ theirs) / spread < -0.5
    bright, others = _brightness(own), _brightness(other)
    distance = _distance(bright, others)
    return distance >= FAR and _distance(bright, 1 - others) <= ALIKE * distance and (is_negative or distance >= APART)


def _distance(mine: np.ndarray, theirs: np.ndarray) -> float:
    """The Kolmogorov-Smirnov distance."""
    if not len(mine) or not len(theirs):
        return 0.0
    values = np.concatenate([mine, theirs])
    shares = [np.searchsorted(np.sort(part), values, side="right") / len(part) for part in (mine, theirs)]
    return float(np.abs(shares[0] - shares[1]).max())


def _p_value(distance: float, n: int, m: int) -> float:
    """Of the Kolmogorov-Smirnov test, by its limit (two terms of the series are exact enough below 0.2)."""
    if not n or not m:
        return 1.0
    size = math.sqrt(n * m / (n + m))
    x = (size + 0.12 + 0.11 / size) * distance
    return float(min(1.0, max(0.0, 2 * sum((-1) ** (k - 1) * math.exp(-2 * (k * x) ** 2) for k in range(1, 20)))))


def _unit(name: str, mine: np.ndarray, theirs: np.ndarray) -> str:
    """A sentence if the values seem to have another unit; else empty."""
    if min(len(mine), len(theirs)) < 5:
        return ""
    values, counts = np.unique(mine, return_counts=True)
    usual = values[counts.argmax()]
    if counts.max() > COMMON * len(mine) and (theirs == usual).mean() > COMMON / 2:
        mine, theirs = mine[mine != usual], theirs[theirs != usual]
        if min(len(mine), len(theirs)) < 5:
            return ""
    distance = _distance(mine, theirs)
    if distance < FAR:
        return ""
    (level, spread), (other_level, other_spread) = _level_and_spread(mine), _level_and_spread(theirs)
    if spread > 0 and other_spread > 0:
        ratio = other_spread / spread
        alike = _distance(mine, (theirs - other_level) / other_spread * spread + level) <= ALIKE * distance
        if not alike or (1 / FACTOR < ratio < FACTOR and distance < APART):
            return ""
    return (
        f"{name} seems to have another unit: its median is {other_level:.4g}, and that of the training rows "
        f"{level:.4g}; convert it"
    )


def _level_and_spread(values: np.ndarray) -> tuple[float, float]:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return float(middle), float(high - low) or float(values.std())


def _categories(
    own: Dataset, other: Dataset, prepared: Prepared, absent: tuple[str, ...]
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Names and values, as text, of the categories of both sets."""
    if own.kind != "table":
        return
    assert prepared.table is not None
    frames = (own.raw(), other.raw())
    for column in prepared.table.columns:
        if column.role == "category" and column.name not in absent:
            mine, theirs = (frame[column.name].astype("string").fillna("").to_numpy(str) for frame in frames)
            yield column.name, mine, theirs


def _shares(mine: np.ndarray, theirs: np.ndarray) -> tuple[list[str], tuple[np.ndarray, np.ndarray]]:
    """The distinct values, the most frequent first, and each set's shares of them."""
    names, place = np.unique(np.concatenate([mine, theirs]), return_inverse=True)
    shares = [np.bincount(part, minlength=len(names)) / len(part) for part in (place[: len(mine)], place[len(mine) :])]
    order = np.argsort(-(shares[0] + shares[1]), kind="stable")
    return [str(name) for name in names[order]], (shares[0][order], shares[1][order])

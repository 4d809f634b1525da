"""Splits in the order of time: the latest rows are held out, and no model learns from a row that is later than the rows
that judge it.

A class needs rows to learn from. One that has no earlier row than the held-out ones is trained on, whatever its time,
and is not held out. Rows of a group (or copies) on both sides are left out of training, and not of the held-out rows:
the latest rows are what a model will meet, known groups among them, so that their share is as asked. A class whose
earlier rows are all of such groups keeps these in training, and its later rows of these groups are not held out. With a
gap, rows that are earlier by less than the gap are left out of training, too: what a row tells of its near future (a
target that is measured over days, a patient's state) would make held-out rows look easier than new ones are.
"""

from __future__ import annotations

import re

import numpy as np

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset

# Forward-chaining parts begin where each class has been seen, but at this share of the rows at the latest.
LATEST_BEGIN = 0.5
# Each cut is drawn within this share of a part's length, so that repeats have other cuts.
DRAWN = 0.5
_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "min": 60, "s": 1}

# The rows to learn from, and the held-out rows, ``(n,)`` bool each.
Sides = tuple[np.ndarray, np.ndarray]


def latest(data: Dataset, share: float) -> Sides:
    """Both sides of the hold-out of the latest rows; rows of the same time stay together.

    Raises:
        DataError: No rows are left to train on, or to hold out.
    """
    time = times(data)
    cut = np.sort(time)[int(np.floor((1 - share) * len(data)))]
    learned, held = _sides(data, time >= cut)
    _check(data, learned, held)
    return learned, held


def chain(data: Dataset, parts: int, rng: np.random.Generator) -> list[Sides]:
    """Both sides of each forward-chaining part: it holds out the rows between two cuts, and learns from earlier ones.
    The latest part comes first: it has the most rows to learn from, and is the most like what a model will meet.

    Raises:
        DataError: No rows are left to train on, or to hold out.
    """
    time, n = times(data), len(data)
    ordered = np.sort(time)
    begin = min(max(1 / (parts + 1), _all_seen(data)), LATEST_BEGIN)
    length = (1 - begin) / parts
    shares = begin + length * (np.arange(parts) + DRAWN * rng.random(parts))
    cuts = np.unique(ordered[(shares * n).astype(int)])
    ends = [*cuts[1:], None]
    found = [
        _sides(data, (time >= cut) if end is None else (time >= cut) & (time < end))
        for cut, end in zip(cuts, ends, strict=True)
    ]
    found = [(learned, held) for learned, held in found if learned.any() and held.any()]
    if not found:
        _check(data, *_sides(data, time >= cuts[-1]))
    return found[::-1]


def unseen(data: Dataset, learned: np.ndarray, held: np.ndarray) -> list[str]:
    """The classes that are trained on whatever their time, because no earlier row shows them."""
    if data.task == "regression" or not held.any():
        return []
    late: np.ndarray = learned & ~_before(data, held)
    return [data.classes[code] for code in np.unique(data.codes[late])]


def in_gap(data: Dataset, held: np.ndarray) -> np.ndarray:
    """``(n,)`` bool: the rows that are earlier than the first held-out row, but by less than the gap."""
    near: np.ndarray = (times(data) < times(data)[held].min()) & ~_before(data, held)
    return near


def gap_of(text: str, time: np.ndarray) -> float | np.timedelta64:
    """The gap that the user's text means for these times: ``7d``, ``12h`` or ``30min`` for dates, a number for numbers.

    Raises:
        DataError: The text means no such gap, or one that is not above 0.
    """
    if time.dtype.kind == "M":
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(w|d|h|min|s)", text.strip().lower())
        if not found or not float(found[1]):
            raise DataError(
                f"The times of the rows are dates: --gap is a time above 0 such as 7d or 12h, not {text!r}."
            )
        return np.timedelta64(round(float(found[1]) * _SECONDS[found[2]] * 1000), "ms")
    try:
        gap = float(text)
    except ValueError:
        gap = 0.0
    if not 0 < gap < np.inf:
        raise DataError(f"The times of the rows are numbers: --gap is a number above 0 in their unit, not {text!r}.")
    return gap


def times(data: Dataset) -> np.ndarray:
    """The time of each row, which the data must have."""
    assert data.time is not None
    return data.time


def _sides(data: Dataset, block: np.ndarray) -> Sides:
    """The rows to learn from and those to hold out, of the rows of a block in time."""
    held = block.copy()
    learned = _before(data, block)
    codes = data.codes if data.task == "classification" else np.zeros(len(data), dtype=np.int64)
    if data.task == "classification":
        unseen = ~np.isin(codes, codes[learned])
        if learned.any():
            learned, held = learned | unseen, held & ~unseen
    group = data.together
    if group is None:
        return learned, held
    for code in np.unique(codes):
        own = learned & (codes == code)
        if own.any() and np.isin(group[own], group[held]).all():
            held &= ~np.isin(group, group[own])
    return learned & ~np.isin(group, group[held]), held


def _before(data: Dataset, block: np.ndarray) -> np.ndarray:
    """``(n,)`` bool: the rows that are earlier than the first row of a block in time, by the gap at least."""
    time = times(data)
    begin = time[block].min()
    earlier: np.ndarray = time < begin
    return earlier if data.gap is None else earlier & (time <= begin - data.gap)


def _all_seen(data: Dataset) -> float:
    """The share of the rows, in the order of time, after which each class has been seen."""
    if data.task == "regression":
        return 0.0
    first = [times(data)[data.codes == code].min() for code in np.unique(data.codes)]
    return float((times(data) <= max(first)).mean())


def _check(data: Dataset, learned: np.ndarray, held: np.ndarray) -> None:
    if not learned.any():
        raise DataError(
            f"The time column of {data.name} leaves no earlier rows to train on; give rows of other times, or leave "
            "out --time."
        )
    if not held.any():
        raise DataError(
            f"The latest rows of {data.name} are the only ones of their classes or groups; give test rows with --test, "
            "or leave out --time or --groups."
        )

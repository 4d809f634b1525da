"""Times of day and durations, such as 08:15, 23:59:30 and 8:15 pm, as numbers: hours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

# Minutes have two digits, so that 16:9 and 1:100 are none. Durations may have more than 24 hours, and a minus.
_PATTERN = (
    r"^(?P<sign>[-\x{2212}]?)(?P<hours>\d{1,3})[:h](?P<minutes>[0-5]\d)(?::(?P<seconds>[0-5]\d(?:[.,]\d{1,9})?))?"
    r"(?: ?(?:(?P<half>[aApP])\.?[mM]\.?|Uhr|h))?$"
)
_SAMPLED, _NEARLY_ALL_OF_SAMPLE, NEARLY_ALL = 200, 0.95, 0.99


def found(distinct: pa.Array, counts: np.ndarray) -> np.ndarray | None:
    """``(n,)`` the hours of distinct texts, NaN where one is no time; None unless nearly all cells are times.

    Args:
        distinct: Texts without missing ones.
        counts: How many cells have each text.
    """
    sample, known = distinct.slice(0, _SAMPLED), counts[:_SAMPLED]
    if not len(sample) or known[~np.isnan(hours(sample))].sum() < _NEARLY_ALL_OF_SAMPLE * known.sum():
        return None
    read = hours(distinct)
    return read if counts[~np.isnan(read)].sum() >= NEARLY_ALL * counts.sum() else None


def hours(cells: pa.Array) -> np.ndarray:
    """``(n,)`` hours since midnight, or of a duration; NaN where a text is no time.

    >>> import pyarrow as pa
    >>> hours(pa.array(["08:15", "23:59:30", "12:30 am", "36:00", "16:9"])).round(3).tolist()
    [8.25, 23.992, 0.5, 36.0, nan]
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    parts = pc.extract_regex(cells, _PATTERN)

    def part(name: str) -> pa.Array:
        return pc.struct_field(parts, name)

    def number(name: str) -> np.ndarray:
        text = pc.replace_substring(part(name), ",", ".")
        text = pc.if_else(pc.equal(text, ""), "0", text)  # a part that is not there
        return np.array(pc.cast(text, pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)

    def is_part(name: str, *texts: str) -> np.ndarray:
        return np.asarray(pc.fill_null(pc.is_in(part(name), pa.array(texts)), False), dtype=bool)

    whole, morning, afternoon = number("hours"), is_part("half", "a", "A"), is_part("half", "p", "P")
    halved = morning | afternoon
    whole[halved & ((whole < 1) | (whole > 12))] = np.nan
    whole[halved & (whole == 12)] = 0
    whole[afternoon] += 12
    read: np.ndarray = whole + number("minutes") / 60 + number("seconds") / 3600
    return np.where(is_part("sign", "-", "\u2212"), -read, read)


def texts(values: np.ndarray) -> list[str | None]:
    """Hours as files have them, ``8:15:00``; None where one is missing.

    >>> texts(np.array([8.25, 23.992, np.nan]))
    ['08:15:00', '23:59:31', None]
    """
    return [None if np.isnan(value) else _text(value) for value in values]


def _text(value: float) -> str:
    minutes, seconds = divmod(round(abs(value) * 3600), 60)
    return f"{'-' if value < 0 and (minutes or seconds) else ''}{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"

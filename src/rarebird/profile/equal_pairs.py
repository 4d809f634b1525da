"""How many equal rows of a table are to be expected by chance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from rarebird.data.fingerprint import column_digests
from rarebird.data.sources import Frame


def expected_equal_pairs(digests: Iterable[np.ndarray], least: float = 0.0, n: int | None = None) -> float:
    """Expected number of equal pairs of rows if columns were independent, from each column's share of equal pairs.

    Args:
        digests: One ``(n,)`` array per column, equal where its values are equal.
        n: Rows, of which the digests may be a sample; None: those of the digests.
        least: Each column makes the number smaller; once it is below this one, the other columns are left out.
    """
    expected = 0.0
    for place, column in enumerate(digests):
        sampled = len(column)
        if sampled < 2:
            return 0.0
        if place == 0:
            n = sampled if n is None else n
            expected = n * (n - 1) / 2
        if expected < least:
            break
        counts = np.unique(column, return_counts=True)[1].astype(np.float64)
        # A column without equal values counts as if it had about one equal pair.
        expected *= max(float((counts * (counts - 1)).sum()), 1.0) / (sampled * (sampled - 1))
    return expected


def expected_in_tables(
    tables: Sequence[tuple[Frame, np.ndarray]], names: Sequence[Any], first: np.ndarray, least: float
) -> float:
    """`expected_equal_pairs` of the distinct rows `first` of stacked tables; of large tables, by a sample of each."""
    import pandas as pd

    starts = np.cumsum([0, *(len(index) for _, index in tables)])
    found = []
    for (source, index), start in zip(tables, starts, strict=False):
        own = source.only(names)
        distinct = index[first[(first >= start) & (first < start + len(index))] - start]
        found.append(own.rows(distinct[own.sampled(distinct, tables=len(tables))]))
    frame = pd.concat(found, ignore_index=True)
    return expected_equal_pairs((column_digests(frame[name]) for name in names), least, len(first))

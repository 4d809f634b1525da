"""Batches of rows that are near each other on disk: a disk reads whole parts of a table much faster than rows at
random.

The batch sampling draws rows as ever, from all of them. Each drawn row is then replaced by the next row of its class in
a stream that goes through the parts in random order, and through the rows of a part in random order. So classes come as
often as the sampling says, and a sampling that takes each row once in an epoch still does. A part of a table on disk is
itself a random sample of the rows (`rarebird.readers.stored_columns`), so that the order of the file does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from rarebird.training.batches import Rows


class NearbyRows:
    """Replaces the rows of one epoch's batches.

    Args:
        rows: Rows on disk, in several parts.
        codes: ``(n,)`` int, their classes; zeros for regression.
        rng: Draws the order of parts and rows.
    """

    def __init__(self, rows: Rows, codes: np.ndarray, rng: np.random.Generator) -> None:
        assert rows.parts is not None
        self._rows, self._rng, self._codes = rows, rng, codes
        self._order = np.argsort(rows.parts, kind="stable").astype(np.int32)
        self._bounds = np.searchsorted(rows.parts[self._order], np.arange(int(rows.parts.max()) + 2))
        self._streams: dict[int, Iterator[np.ndarray]] = {}
        self._left: dict[int, np.ndarray] = {}

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """The rows in place of those of a batch."""
        codes, taken = self._codes[batch], np.empty_like(batch)
        for code in np.unique(codes):
            places = np.flatnonzero(codes == code)
            taken[places] = self._next(int(code), len(places))
        return taken

    def _next(self, code: int, n: int) -> np.ndarray:
        """The next rows of a class."""
        left = self._left.get(code, np.empty(0, np.int32))
        stream = self._streams.setdefault(code, self._stream(code))
        while len(left) < n:
            left = np.concatenate([left, next(stream)])
        self._left[code] = left[n:]
        return left[:n]

    def _stream(self, code: int) -> Iterator[np.ndarray]:
        """The rows of a class without end, those of one part at a time."""
        while True:
            parts = self._rng.permutation(len(self._bounds) - 1)
            for place, part in enumerate(parts):
                self._rows.read_ahead(int(parts[place + 1]) if place + 1 < len(parts) else None)
                rows = self._order[self._bounds[part] : self._bounds[part + 1]]
                own = rows[self._codes[rows] == code]
                self._rng.shuffle(own)
                yield own


def replaced(batches: Iterator[np.ndarray], rows: Rows, y: np.ndarray, sampling: Any, rng: np.random.Generator) -> Any:
    """The batches of one epoch: with rows that are near each other, where the rows are on disk in several parts and the
    sampling does not choose rows by anything but their class."""
    chooses = getattr(sampling, "reads_last_loss", False) or (
        getattr(sampling, "draws_by_weight", False) and rows.counts is not None
    )
    if rows.parts is None or chooses:
        return batches
    codes = y if rows.y.shape[1] > 1 else np.zeros(len(y), np.int8)
    # A generator of its own, because the batch sampling draws from `rng` between batches.
    return map(NearbyRows(rows, codes, np.random.default_rng(rng.integers(2**63))), batches)

"""Inputs of a network whose rows stay on disk: they are read and prepared when a batch needs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import numpy as np

from rarebird.data.stored_frame import StoredFrame

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

Prepare = Callable[["pd.DataFrame"], dict[str, "Tensor"]]


def stored_inputs(source: StoredFrame, index: np.ndarray, prepare: Prepare) -> dict[str, Tensor]:
    """What takes the place of the prepared tensors of a table's rows.

    Args:
        source: The table.
        index: ``(n,)`` its rows.
        prepare: Rows -> tensors, each row by itself.
    """
    rows = _Rows(source, index, prepare)
    return {name: cast("Tensor", StoredInput(rows, name)) for name in rows.first}


def in_reading_order(inputs: dict[str, Tensor]) -> tuple[dict[str, Tensor], np.ndarray | None]:
    """The same rows in the order in which the disk has them, and their positions before: rows in the user's order are
    all over the disk, where each takes a read of its own. Inputs in memory are returned as they are, with None."""
    first = next(iter(inputs.values()))
    if not isinstance(first, StoredInput):
        return inputs, None
    rows = first._rows
    order = rows.source.reading_order(rows.index)
    return stored_inputs(rows.source, rows.index[order], rows.prepare), order


class StoredInput:
    """Takes the place of a tensor; it has those methods of a tensor that batches use. All inputs of a batch are read
    together."""

    def __init__(self, rows: _Rows, name: str) -> None:
        self._rows, self._name = rows, name

    def __len__(self) -> int:
        return len(self._rows.index)

    @property
    def nbytes(self) -> int:
        """Bytes that all rows would take in memory."""
        return len(self) * self._rows.first[self._name].nbytes

    def index_select(self, dim: int, at: Tensor) -> Tensor:
        """The rows at the positions `at`, as a tensor in memory."""
        return self._rows.chosen(at)[self._name]

    def __getitem__(self, part: slice) -> Tensor:
        """Consecutive rows, as a tensor in memory."""
        return self._rows.consecutive(*part.indices(len(self))[:2])[self._name]

    def read_ahead(self, part: int) -> None:
        """Ask the system to read a part of the table from the disk."""
        self._rows.source.read_part_ahead(part)

    def to(self, device: str) -> Tensor:
        """All rows, on a device with enough memory."""
        return self[:].to(device)


class _Rows:
    """Rows that are read and prepared on demand; the last ones are kept."""

    def __init__(self, source: StoredFrame, index: np.ndarray, prepare: Prepare) -> None:
        self.index, self.source, self.prepare = index, source, prepare
        self.first = self._read(index[:1])
        self._chosen: tuple[Tensor | None, dict[str, Tensor]] = None, {}
        self._consecutive: tuple[int, int, dict[str, Tensor]] = 0, 0, {}

    def chosen(self, at: Tensor) -> dict[str, Tensor]:
        """The rows at these positions."""
        if self._chosen[0] is not at:
            self._chosen = at, self._read(self.index[at.cpu().numpy()])
        return self._chosen[1]

    def consecutive(self, start: int, stop: int) -> dict[str, Tensor]:
        """The rows from `start` to `stop`; those that follow are read with them, as the next call will want them."""
        first, last, kept = self._consecutive
        if not kept or not first <= start <= stop <= last:
            ahead = self.source.rows_of_chunk
            end = max(stop, min(start + ahead, len(self.index)))
            self.source.read_ahead(self.index[end : end + ahead])
            kept = self._read(self.index[start:end])
            first = start
            self._consecutive = first, end, kept
        return {name: part[start - first : stop - first] for name, part in kept.items()}

    def _read(self, rows: np.ndarray) -> dict[str, Tensor]:
        return self.prepare(self.source.rows(rows))

"""Some rows of a memory-mapped or large array, read only when a batch asks for them: pictures need not fit in memory,
nor twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


class MappedRows:
    """Stands where a tensor of these rows would: what the batches ask of one, and nothing more.

    Args:
        array: Rows first; memory-mapped, or too large to be copied.
        index: ``(n,)`` which rows these are, in order.
    """

    def __init__(self, array: np.ndarray, index: np.ndarray) -> None:
        self._array, self._index = array, index

    def __len__(self) -> int:
        return len(self._index)

    @property
    def nbytes(self) -> int:
        """Bytes that all rows would take in memory."""
        return len(self._index) * self._array[:1].nbytes

    def index_select(self, dim: int, at: Tensor) -> Tensor:
        """The rows at the positions `at`, as a tensor in memory."""
        return self._read(self._index[at.cpu().numpy()])

    def __getitem__(self, part: slice) -> Tensor:
        """A run of rows, as a tensor in memory."""
        return self._read(self._index[part])

    def to(self, device: str) -> Tensor:
        """All rows, on a device that has the room."""
        return self._read(self._index).to(device)

    def _read(self, rows: np.ndarray) -> Tensor:
        import torch

        # In the file's order, which disks like, and then as asked.
        order = np.argsort(rows, kind="stable")
        read = np.empty((len(rows), *self._array.shape[1:]), dtype=self._array.dtype)
        read[order] = self._array[rows[order]]
        return torch.from_numpy(read)

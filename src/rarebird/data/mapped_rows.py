"""Rows of a memory-mapped or large array that are read only when a batch needs them: pictures need not fit in memory,
and no second copy of them is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


class MappedRows:
    """Takes the place of a tensor of these rows; it has those methods of a tensor that batches use.

    Args:
        array: Rows along the first axis; memory-mapped, or too large to be copied.
        index: ``(n,)`` positions of these rows in the array, in order.
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
        """Consecutive rows, as a tensor in memory."""
        return self._read(self._index[part])

    def to(self, device: str) -> Tensor:
        """All rows, on a device with enough memory."""
        return self._read(self._index).to(device)

    def _read(self, rows: np.ndarray) -> Tensor:
        import torch

        # Read in the file's order, which is faster on disks; returned in the order asked for.
        order = np.argsort(rows, kind="stable")
        read = np.empty((len(rows), *self._array.shape[1:]), dtype=self._array.dtype)
        read[order] = self._array[rows[order]]
        return torch.from_numpy(read)

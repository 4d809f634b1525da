"""Mini-batches assembled in bulk: rows are gathered as tensors, and pictures become floats only in the batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from rarebird.slots.pixels import floats
from rarebird.slots.protocols import Inputs
from rarebird.training.device import Placement

# All rows move to a GPU at once where they need at most this share of its free memory; otherwise they move batch by
# batch.
DEVICE_SHARE = 0.4
Batch = tuple[Inputs, Tensor, Tensor]
Change = Callable[[Inputs, Tensor, Tensor], Batch]


@dataclass(frozen=True)
class Rows:
    """Prepared training rows.

    Attributes:
        inputs: Tensors with rows first; pixels may be uint8.
        y: ``(n, n_outputs)`` float32 soft targets.
        weight: ``(n,)`` float32 sample weights, mean 1.
        counts: ``(n,)`` float64, how many rows each row counts for; None where each counts for one.
        parts: ``(n,)`` int, the part of a table on disk that holds each row; None: in memory, or in one part.
    """

    inputs: Inputs
    y: Tensor
    weight: Tensor
    counts: np.ndarray | None = None
    parts: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.y)

    def to(self, placement: Placement) -> Rows:
        """The rows on the placement's device; unchanged where the device has too little memory for them."""
        if placement.device == "cpu":
            return self
        size = sum(part.nbytes for part in self.inputs.values())
        free, _ = torch.cuda.mem_get_info(torch.device(placement.device))
        if size > DEVICE_SHARE * free:
            return self
        moved = {name: part.to(placement.device) for name, part in self.inputs.items()}
        return replace(
            self, inputs=moved, y=self.y.to(placement.device), weight=self.weight.to(placement.device), parts=None
        )

    def read_ahead(self, part: int | None) -> None:
        """Begin to read a part of a table on disk."""
        if part is not None:
            next(iter(self.inputs.values())).read_ahead(part)  # type: ignore[attr-defined]

    def batch(
        self, index: np.ndarray, placement: Placement, change: Change | None = None, weighted: bool = True
    ) -> Batch:
        """The rows at `index` as (inputs, y, weight) on the device; `change` is applied to pictures as they are stored.
        All weights are 1 unless `weighted`."""
        positions = torch.from_numpy(index).to(self.y.device)
        x = {
            name: part.index_select(0, positions).to(placement.device, non_blocking=True)
            for name, part in self.inputs.items()
        }
        y, weight = (part.index_select(0, positions).to(placement.device) for part in (self.y, self.weight))
        if not weighted:
            weight = torch.ones_like(weight)
        if change is not None:
            x, y, weight = change(x, y, weight)
        return ready(x, placement), y, weight


def weighted_by_class(y: Tensor, weight: Tensor, class_weight: Tensor) -> tuple[Tensor, Tensor]:
    """Targets and weights with which a loss that is linear in the targets is ``sum_k weight y_k class_weight_k
    loss_k``: each class in a mixed row carries its own weight."""
    by_class = y * class_weight
    factor = by_class.sum(dim=1)
    return by_class / factor[:, None], weight * factor


def ready(x: Inputs, placement: Placement) -> Inputs:
    """Inputs on the device; pictures as floats in 0..1 in the placement's layout."""
    x = {name: part.to(placement.device, non_blocking=True) for name, part in x.items()}
    if "pixels" in x:
        pixels = floats(x["pixels"])
        x["pixels"] = pixels.contiguous(memory_format=torch.channels_last) if placement.channels_last else pixels
    return x

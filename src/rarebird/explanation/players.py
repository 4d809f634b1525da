"""The parts of a row that get Shapley values: columns of a table, windows of a series, patches of a picture."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rarebird.explanation.features import Features

# Windows of a series and patches along each side of a picture; channels of a series that have windows of their own.
WINDOWS, PATCHES, MOST_CHANNELS = 16, 7, 4


class Players:
    """The parts of a row; each feature belongs to one.

    Attributes:
        owner: Of each feature, the number of its part, of `features.shape` (a picture has one channel here).
        count: Number of parts.
        what: The parts in words.
    """

    def __init__(self, features: Features) -> None:
        if features.kind == "table":
            self.owner = torch.arange(features.shape[0])
            self.what = "columns"
        elif features.kind == "series":
            channels, length = features.shape
            width = math.ceil(length / min(WINDOWS, length))
            window = torch.arange(length) // width
            alone = channels <= MOST_CHANNELS
            first = torch.arange(channels)[:, None] * (int(window.max()) + 1) if alone else torch.zeros(channels, 1)
            self.owner = (first + window).long()
            self.what = f"windows of {width} steps" + (" of each channel" if 1 < channels <= MOST_CHANNELS else "")
        else:
            _, height, width = features.shape
            rows, columns = (torch.arange(side) * min(PATCHES, side) // side for side in (height, width))
            self.owner = (rows[:, None] * (int(columns.max()) + 1) + columns)[None]
            self.what = f"{int(rows.max()) + 1} x {int(columns.max()) + 1} patches"
        self.count = int(self.owner.max()) + 1

    def mask(self, chosen: Tensor) -> Tensor:
        """``(batch, *shape)`` bool, the features of the chosen parts ``(batch, count)``."""
        return chosen[:, self.owner.to(chosen.device).flatten()].reshape(len(chosen), *self.owner.shape)

    def spread(self, amounts: Tensor, shape: tuple[int, ...]) -> Tensor:
        """``(n, *shape)``: each part's amount, ``(n, count)``, divided equally among its features."""
        channels = shape[0] if self.owner.ndim == 3 else 1
        sizes = torch.bincount(self.owner.flatten(), minlength=self.count) * channels
        each = (amounts / sizes)[:, self.owner.flatten()].reshape(len(amounts), *self.owner.shape)
        return each.expand(len(amounts), *shape)

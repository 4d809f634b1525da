"""Hydra's features: within groups of random kernels, how strongly and how often each kernel wins.

Dempster, Schmidt and Webb, "Hydra: competing convolutional kernels for fast and accurate time series classification",
Data Mining and Knowledge Discovery 2023. At each step the kernel of a group with the largest output is credited with
that output, and the one with the smallest output with 1. The features are the square roots of these sums.

NOTE[DIFF]: sums are taken per step of a series and times the longest series' steps, so that series of unequal lengths
are comparable. Kernels that tie at a step are all credited.
"""

# Shape legend: B batch, C channels, T steps, D dilations, G groups, K kernels of a group, W kernel width.

from __future__ import annotations

import torch
from torch import Tensor, nn

from rarebird.methods.network._dilated_kernels import convolved, doubled_dilations, drawn_kernels, drawn_mixtures
from rarebird.methods.network._layers import mask_of

# Outputs computed at once: as many as fit into a CPU's caches, or enough to fill a GPU.
CPU_CELLS, GPU_CELLS = 2**19, 2**26


class HydraBank(nn.Module):
    """Frozen groups of kernels: ``values (B, C, T), lengths (B,) -> (B, width)``."""

    weights: Tensor
    mixtures: Tensor

    def __init__(self, channels: int, length: int, groups: int, kernels: int) -> None:
        super().__init__()
        self.length, self.dilations = length, doubled_dilations(length)
        self.register_buffer("weights", drawn_kernels(len(self.dilations), groups, kernels))
        self.register_buffer("mixtures", drawn_mixtures(len(self.dilations), groups, channels).float())
        self.width = 2 * len(self.dilations) * groups * kernels

    def forward(self, values: Tensor, lengths: Tensor) -> Tensor:
        cells = GPU_CELLS if values.is_cuda else CPU_CELLS
        rows = max(1, cells // (self.weights[0, ..., 0].numel() * values.shape[2]))
        parts = []
        for part, own in zip(torch.split(values, rows), torch.split(lengths, rows), strict=True):
            inside = mask_of(own, values.shape[2])
            beyond = None if bool(inside.all()) else ~inside
            sums = torch.cat([self._sums(part, beyond, place) for place in range(len(self.dilations))])
            parts.append((sums * (self.length / own)).clamp(min=0).sqrt().T)
        return torch.cat(parts)

    def _sums(self, values: Tensor, beyond: Tensor | None, place: int) -> Tensor:
        """``(2 * G * K, B)`` credits at one dilation."""
        mixed = torch.einsum("gc,bct->gbt", self.mixtures[place], values)
        out = convolved(mixed, self.weights[place], self.dilations[place])  # (G, K, B, T)
        largest, smallest = out.amax(dim=1, keepdim=True), out.amin(dim=1, keepdim=True)
        wins, losses = out * (out == largest), (out == smallest).float()
        if beyond is not None:
            wins, losses = wins.masked_fill(beyond, 0), losses.masked_fill(beyond, 0)
        return torch.cat([credits.sum(dim=3).flatten(0, 1) for credits in (wins, losses)])

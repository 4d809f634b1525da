"""A small U-Net that denoises grids, modulated by noise level and class.

Ronneberger, Fischer and Brox, "U-Net" (MICCAI 2015), in the form of Ho, Jain and Abbeel, "Denoising Diffusion
Probabilistic Models" (NeurIPS 2020). Cells of 2 x 2 are read as channels first, which makes it four times as cheap
(Hoogeboom, Heek and Salimans, "Simple Diffusion", ICML 2023).
"""

# Shape legend: B batch, C channels, H W sides, D width of the condition.

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from rarebird.methods.synthesis._grid_layers import AXES, Attention, FourierFeatures, ModulatedBlock, group_norm
from rarebird.methods.synthesis._grids import GridShape

BLOCKS = 2


class UNet(nn.Module):
    """``(B, C, H, W)``, noise levels ``(B,)`` and class codes ``(B,)`` -> ``(B, C, H, W)``.

    Args:
        shape: The grid.
        n_classes: Classes; code `n_classes` stands for no class.
        width: Channels at twice the sides of the smallest grid, where there are twice as many.
        dropout: Rate within blocks.
    """

    def __init__(self, shape: GridShape, n_classes: int, width: int, dropout: float) -> None:
        super().__init__()
        axes = AXES[shape.kind]
        self.fold = axes.factor if shape.halvings else (1, 1)
        inner = shape.channels * self.fold[0] * self.fold[1]
        levels = max(shape.halvings, 1)
        widths = [max(16, 2 * width // 2 ** (levels - 1 - level)) for level in range(levels)]
        condition = 2 * width
        self.noise = nn.Sequential(FourierFeatures(width), nn.Linear(width, condition), nn.SiLU())
        self.mixed = nn.Linear(condition, condition)
        self.classes = nn.Embedding(n_classes + 1, condition)
        self.inward = axes.conv(inner, widths[0])
        self.down, self.up, self.rise = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for level, outer in enumerate(widths):
            before = widths[max(level - 1, 0)]
            first = ModulatedBlock(before, outer, condition, axes, "down" if level else "", dropout)
            others = [ModulatedBlock(outer, outer, condition, axes, "", dropout) for _ in range(BLOCKS - 1)]
            self.down.append(nn.ModuleList([first, *others]))
            self.up.append(
                nn.ModuleList(ModulatedBlock(2 * outer, outer, condition, axes, "", dropout) for _ in range(BLOCKS))
            )
            if level:
                self.rise.append(ModulatedBlock(outer, before, condition, axes, "up", dropout))
        self.attention = Attention(widths[-1])
        self.norm = group_norm(widths[0])
        self.outward = axes.conv(widths[0], inner)
        nn.init.zeros_(self.outward.weight)

    def forward(self, x: Tensor, level: Tensor, codes: Tensor) -> Tensor:
        condition = functional.silu(self.mixed(self.noise(level)) + self.classes(codes))
        hidden, kept = self.inward(folded(x, self.fold)), []
        for blocks in self.down:
            for block in blocks:  # type: ignore[attr-defined]
                hidden = block(hidden, condition)
                kept.append(hidden)
        hidden = self.attention(hidden)
        for place in reversed(range(len(self.up))):
            for block in self.up[place]:  # type: ignore[attr-defined]
                hidden = block(torch.cat([hidden, kept.pop()], dim=1), condition)
            if place:
                hidden = self.rise[place - 1](hidden, condition)
        return unfolded(self.outward(functional.silu(self.norm(hidden))), self.fold)


def folded(x: Tensor, by: tuple[int, int]) -> Tensor:
    """``(B, C, H, W) -> (B, C h w, H / h, W / w)``: neighboring cells as channels."""
    down, across = by
    batch, channels, height, width = x.shape
    parts = x.reshape(batch, channels, height // down, down, width // across, across)
    return parts.permute(0, 1, 3, 5, 2, 4).reshape(batch, channels * down * across, height // down, width // across)


def unfolded(x: Tensor, by: tuple[int, int]) -> Tensor:
    """The inverse of `folded`."""
    down, across = by
    batch, channels, height, width = x.shape
    parts = x.reshape(batch, channels // (down * across), down, across, height, width)
    return parts.permute(0, 1, 4, 2, 5, 3).reshape(batch, -1, height * down, width * across)

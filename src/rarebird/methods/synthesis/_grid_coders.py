"""Networks from a short code and a class to a grid, and from a grid to a code or a score."""

# Shape legend: B batch, C channels, H W sides, D width of the condition, Z numbers of a code.

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from rarebird.methods.synthesis._grid_layers import AXES, Axes, ModulatedBlock, Resize, group_norm
from rarebird.methods.synthesis._grids import GridShape

# A grid's channels grow by this factor with each halving, at most so often.
MOST_GROWTH = 4
CLASS_WIDTH = 32


def widths_of(shape: GridShape, width: int) -> list[int]:
    """Channels at each size of the grid, from the whole one to the smallest."""
    return [min(width * 2**level, MOST_GROWTH * width) for level in range(shape.halvings + 1)]


def smallest(shape: GridShape) -> tuple[int, int]:
    """Sides of the smallest grid."""
    height, width = shape.sides
    down, across = AXES[shape.kind].factor
    return height // down**shape.halvings, width // across**shape.halvings


class Decoder(nn.Module):
    """Codes ``(B, Z)`` and classes ``(B,)`` -> grids ``(B, C, H, W)``; those of pictures lie within -1..1.

    The code modulates every block, not only the first (Brock, Donahue and Simonyan, "Large Scale GAN Training for High
    Fidelity Natural Image Synthesis", ICLR 2019).
    """

    def __init__(self, shape: GridShape, n_classes: int, width: int, code: int) -> None:
        super().__init__()
        axes, widths = AXES[shape.kind], widths_of(shape, width)
        condition = code + CLASS_WIDTH
        self.is_bounded = shape.kind == "image"
        self.start = (widths[-1], *smallest(shape))
        self.classes = nn.Embedding(n_classes, CLASS_WIDTH)
        self.inward = nn.Linear(condition, math.prod(self.start))
        first = ModulatedBlock(widths[-1], widths[-1], condition, axes)
        rising = [
            ModulatedBlock(widths[level + 1], widths[level], condition, axes, "up")
            for level in reversed(range(shape.halvings))
        ]
        self.blocks = nn.ModuleList([first, *rising])
        self.norm = group_norm(widths[0])
        self.outward = axes.conv(widths[0], shape.channels)

    def forward(self, code: Tensor, classes: Tensor) -> Tensor:
        condition = torch.cat([code, self.classes(classes)], dim=1)
        grid = self.inward(condition).unflatten(1, self.start)
        if not grid.is_contiguous(memory_format=torch.channels_last):
            grid = grid.contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            grid = block(grid, condition)
        cells: Tensor = self.outward(functional.silu(self.norm(grid)))
        return cells.tanh() if self.is_bounded else cells


class Encoder(nn.Module):
    """Grids ``(B, C, H, W)`` and classes ``(B,)`` -> mean and logarithm of the variance of codes, ``(B, Z)`` each."""

    def __init__(self, shape: GridShape, n_classes: int, width: int, code: int) -> None:
        super().__init__()
        axes, widths = AXES[shape.kind], widths_of(shape, width)
        self.classes = nn.Embedding(n_classes, CLASS_WIDTH)
        self.inward = axes.conv(shape.channels, widths[0])
        self.blocks = nn.ModuleList(
            ModulatedBlock(widths[level], widths[level + 1], CLASS_WIDTH, axes, "down")
            for level in range(shape.halvings)
        )
        self.norm = group_norm(widths[-1])
        self.outward = nn.Linear(widths[-1] * math.prod(smallest(shape)), 2 * code)

    def forward(self, cells: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
        condition = self.classes(classes)
        grid = self.inward(cells)
        for block in self.blocks:
            grid = block(grid, condition)
        mean, log_variance = self.outward(functional.silu(self.norm(grid)).flatten(1)).float().chunk(2, dim=1)
        return mean, log_variance.clamp(-12, 4)


class Critic(nn.Module):
    """Grids ``(B, C, H, W)`` and classes ``(B,)`` -> how real they look, ``(B,)``.

    Every weight has a spectral norm of 1 (Miyato, Kataoka, Koyama and Yoshida, "Spectral Normalization for Generative
    Adversarial Networks", ICLR 2018), and the class enters as a projection (Miyato and Koyama, "cGANs with Projection
    Discriminator", ICLR 2018).
    """

    def __init__(self, shape: GridShape, n_classes: int, width: int) -> None:
        super().__init__()
        axes, widths = AXES[shape.kind], widths_of(shape, width)
        self.inward = spectral_norm(axes.conv(shape.channels, widths[0]))
        blocks = [PlainBlock(widths[level], widths[level + 1], axes, True) for level in range(shape.halvings)]
        self.blocks = nn.Sequential(*blocks, PlainBlock(widths[-1], widths[-1], axes, False))
        self.outward = spectral_norm(nn.Linear(widths[-1], 1))
        self.classes = spectral_norm(nn.Embedding(n_classes, widths[-1]))

    def forward(self, cells: Tensor, classes: Tensor) -> Tensor:
        features = functional.relu(self.blocks(self.inward(cells))).sum(dim=(2, 3))
        projected = (self.classes(classes) * features).sum(dim=1)
        score: Tensor = (self.outward(features)[:, 0] + projected).float()
        return score


class PlainBlock(nn.Module):
    """A residual block without normalization of its activations, ``(B, inner, H, W) -> (B, outer, H', W')``."""

    def __init__(self, inner: int, outer: int, axes: Axes, halves: bool) -> None:
        super().__init__()
        self.axes, self.halves = axes, halves
        self.first = spectral_norm(axes.conv(inner, inner))
        self.second = spectral_norm(axes.conv(inner, outer))
        self.shortcut = nn.Identity() if inner == outer else spectral_norm(nn.Conv2d(inner, outer, 1))

    def forward(self, x: Tensor) -> Tensor:
        resize: Resize = "down" if self.halves else ""
        hidden = self.axes.resized(functional.relu(self.first(functional.relu(x))), resize)
        kept: Tensor = self.shortcut(self.axes.resized(x, resize))
        total: Tensor = kept + self.second(hidden)
        return total

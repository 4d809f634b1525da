"""Layers of the networks that make grids: residual blocks that a condition (class, noise level, random code) modulates,
for pictures with kernels of 3 x 3, for series with kernels of 1 x 5."""

# Shape legend: B batch, C channels, H W sides, D width of the condition.

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Resize = Literal["up", "down", ""]


@dataclass(frozen=True)
class Axes:
    """The sides of kernels, and by what a halving divides the sides of a grid."""

    kernel: tuple[int, int]
    factor: tuple[int, int]

    def conv(self, inner: int, outer: int) -> nn.Conv2d:
        """A convolution that keeps the sides."""
        padding = (self.kernel[0] // 2, self.kernel[1] // 2)
        return nn.Conv2d(inner, outer, self.kernel, padding=padding)

    def resized(self, x: Tensor, resize: Resize) -> Tensor:
        """The grid at twice or half its sides."""
        if resize == "up":
            return functional.interpolate(x, scale_factor=[float(f) for f in self.factor], mode="nearest")
        return functional.avg_pool2d(x, self.factor) if resize == "down" else x


AXES = {"image": Axes((3, 3), (2, 2)), "series": Axes((1, 5), (1, 2))}


def group_norm(width: int, affine: bool = True) -> nn.GroupNorm:
    """Normalization of groups of about 16 channels, so that no row depends on others of its batch."""
    groups = math.gcd(width, max(1, width // 16))
    return nn.GroupNorm(groups, width, affine=affine)


class ModulatedBlock(nn.Module):
    """``shortcut(x) + branch(x, condition)``: ``(B, inner, H, W), (B, D) -> (B, outer, H', W')``.

    The condition scales and shifts the branch's middle (Perez et al., "FiLM", AAAI 2018; as in Dhariwal and Nichol,
    "Diffusion Models Beat GANs on Image Synthesis", NeurIPS 2021). The branch starts at zero.
    """

    def __init__(
        self, inner: int, outer: int, condition: int, axes: Axes, resize: Resize = "", dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.axes, self.resize = axes, resize
        self.before = group_norm(inner)
        self.first = axes.conv(inner, outer)
        self.modulation = nn.Linear(condition, 2 * outer)
        self.middle = group_norm(outer, affine=False)
        # Whole channels: a draw for each cell would take a tenth of a step on a CPU.
        self.dropout = nn.Dropout2d(dropout)
        self.second = axes.conv(outer, outer)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.modulation.weight)
        self.shortcut = nn.Identity() if inner == outer else nn.Conv2d(inner, outer, 1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        hidden = self.first(self.axes.resized(functional.silu(self.before(x)), self.resize))
        scale, shift = self.modulation(condition)[:, :, None, None].chunk(2, dim=1)
        hidden = torch.addcmul(shift, self.middle(hidden), scale + 1)
        hidden = self.second(self.dropout(functional.silu(hidden)))
        # A 1 x 1 convolution is cheaper on the smaller grid.
        if self.resize == "down":
            kept: Tensor = self.shortcut(self.axes.resized(x, "down"))
        else:
            kept = self.axes.resized(self.shortcut(x), self.resize)
        total: Tensor = kept + hidden
        return total


class Attention(nn.Module):
    """Self-attention over the cells of a small grid, added to its input; ``(B, C, H, W)`` of the same shape."""

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norm = group_norm(width)
        self.inward = nn.Conv2d(width, 3 * width, 1)
        self.outward = nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.outward.weight)

    def forward(self, x: Tensor) -> Tensor:
        batch, width, height, across = x.shape
        tokens = self.inward(self.norm(x)).flatten(2).unflatten(1, (3, self.heads, width // self.heads))
        query, key, value = tokens.contiguous().unbind(1)
        # For so few cells, plain products are several times as fast as torch's fused attention on a CPU.
        share = (query.transpose(2, 3) @ key / query.shape[2] ** 0.5).softmax(dim=-1)
        mixed = value @ share.to(value.dtype).transpose(2, 3)
        total: Tensor = x + self.outward(mixed.reshape(batch, width, height, across))
        return total


class FourierFeatures(nn.Module):
    """Sines and cosines of a number per row, ``(B,) -> (B, width)``; frequencies from 1/4 to 16, fixed."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.frequencies: Tensor
        self.register_buffer("frequencies", torch.logspace(-2, 4, width // 2, base=2.0), persistent=False)

    def forward(self, numbers: Tensor) -> Tensor:
        angles = numbers[:, None] * self.frequencies
        return torch.cat([angles.sin(), angles.cos()], dim=1)

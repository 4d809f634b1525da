"""Affine maps of pictures: building and composing matrices, and the one batched resampling that applies them.

Legend: a matrix is ``(batch, 3, 3)`` and maps homogeneous output coordinates (x right, y down, -1..1 from edge to edge)
to input coordinates. Its linear part is in square units, so that a rotation stays a rotation on a picture that is not
square (`compose` corrects for the sides); its translation is in half sides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from rarebird.methods.augmentation import _rows

Fill = Literal["edge", "reflect", "zero"]
_PADDING = {"edge": "border", "reflect": "reflection", "zero": "zeros"}


@dataclass(frozen=True)
class Geometric(_rows.Planned):
    """A bound affine augmentation; see `rarebird.slots.protocols.GeometricAugmentation`.

    Attributes:
        draw: ``(batch, generator) -> (batch, 3, 3)``, a matrix for every row.
        p: Share of the rows that it moves, above 0.
        fill: What is shown beyond the picture's edge; None for a map that never reaches it, which joins any other.
    """

    draw: Callable[[int, torch.Generator], Tensor]
    p: float
    fill: Fill | None = "edge"

    def matrix(self, batch: int, generator: torch.Generator) -> Tensor:
        """``(batch, 3, 3)``, exactly the identity in the rows that stay."""
        matrix = self.draw(batch, generator)
        if self.p == 1:
            return matrix
        return torch.where(
            _rows.broadcastable(_rows.bernoulli(self.p, batch, generator), matrix),
            matrix,
            torch.eye(3, device=matrix.device),
        )

    def plan(self, pixels: Tensor, generator: torch.Generator) -> _rows.Apply:
        return Composed((self,)).plan(pixels, generator)


@dataclass(frozen=True)
class Mirror(Geometric):
    """A flip: as an affine map it joins its neighbors' resampling for free; alone, it is exact and cheaper by index."""

    axis: Literal[-2, -1] = -1

    def plan(self, pixels: Tensor, generator: torch.Generator) -> _rows.Apply:
        entry = -1 - self.axis
        flipped = self.matrix(len(pixels), generator)[:, entry, entry] < 0
        return lambda part, which: torch.where(_rows.broadcastable(flipped[which], part), part.flip(self.axis), part)


@dataclass(frozen=True)
class Composed(_rows.Planned):
    """Neighboring affine augmentations as one resampling: each draws its own matrices, but the pixels are interpolated
    only once."""

    parts: tuple[Geometric, ...]

    def plan(self, pixels: Tensor, generator: torch.Generator) -> _rows.Apply:
        height, width = pixels.shape[-2:]
        matrix = compose([part.matrix(len(pixels), generator) for part in self.parts], height, width)
        fill: Fill = next((part.fill for part in self.parts if part.fill is not None), "edge")
        across, down = grid_parts(matrix, height, width)
        stays = (
            (matrix == torch.eye(3, device=matrix.device)).flatten(1).all(1)
            if all(part.p < 1 for part in self.parts)
            else None
        )

        def apply(part: Tensor, which: slice) -> Tensor:
            moved = sampled(part, grid_of(across[which], down[which]), fill)
            # Interpolation at the pixels' own centers has rounding errors, but a row that is not moved must not change.
            return moved if stays is None else torch.where(_rows.broadcastable(stays[which], part), part, moved)

        return apply


def affine(
    xx: Tensor | float = 1.0,
    xy: Tensor | float = 0.0,
    yx: Tensor | float = 0.0,
    yy: Tensor | float = 1.0,
    x: Tensor | float = 0.0,
    y: Tensor | float = 0.0,
) -> Tensor:
    """``(batch, 3, 3)`` matrices ``[[xx, xy, x], [yx, yy, y], [0, 0, 1]]``.

    Each entry is a number or ``(batch,)``; at least one is a tensor.
    """
    known = next(entry for entry in (xx, xy, yx, yy, x, y) if isinstance(entry, Tensor))
    matrix = torch.eye(3, dtype=known.dtype, device=known.device).repeat(len(known), 1, 1)
    for i, row in enumerate(((xx, xy, x), (yx, yy, y))):
        for j, entry in enumerate(row):
            if isinstance(entry, Tensor) or entry != (i == j):
                matrix[:, i, j] = entry
    return matrix


def compose(matrices: Sequence[Tensor], height: int, width: int) -> Tensor:
    """One matrix for maps applied one after the other, in coordinates of a picture of `height` times `width` pixels.

    The first map is applied to the picture first. As matrices map output to input, it is the leftmost factor.

    Args:
        matrices: Each ``(batch, 3, 3)``, linear part in square units.
        height: Pixels.
        width: Pixels.

    Returns:
        ``(batch, 3, 3)``, ready for `resample`.
    """
    ratio = height / width
    correction = matrices[0].new_tensor([[1, ratio, 1], [1 / ratio, 1, 1], [1, 1, 1]])
    total = matrices[0] * correction
    for matrix in matrices[1:]:
        total = total @ (matrix * correction)
    return total


def sampling_grid(matrix: Tensor, height: int, width: int) -> Tensor:
    """``(batch, height, width, 2)``: input coordinates of each output pixel's center, as `functional.affine_grid` gives
    them."""
    return grid_of(*grid_parts(matrix, height, width))


def grid_parts(matrix: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """The two summands of a sampling grid: ``(batch, 2, 1, width)`` along x and ``(batch, 2, height, 1)`` along y."""
    across, down = _centers(width, matrix), _centers(height, matrix)
    along_row = matrix[:, :2, 0, None] * across + matrix[:, :2, 2, None]
    along_column = matrix[:, :2, 1, None] * down
    return along_row[:, :, None, :], along_column[:, :, :, None]


def grid_of(across: Tensor, down: Tensor) -> Tensor:
    """The sampling grid, the sum of its two parts.

    Its memory holds a plane of x and a plane of y, filled by a broadcast sum: several times as fast on a CPU as
    `affine_grid`'s matrix product, and `grid_sample` reads planes without copying them first.
    """
    return (across + down).permute(0, 2, 3, 1)


def sampled(pixels: Tensor, grid: Tensor, fill: Fill) -> Tensor:
    """`pixels` at the coordinates of a `sampling_grid`; the arguments are those of `resample`."""
    # Coordinates need more than bfloat16's 8 bits: at 224 pixels, its steps would be as wide as a pixel.
    work = pixels if pixels.dtype == torch.float64 else pixels.float()
    moved = functional.grid_sample(
        work, grid.to(work.dtype), mode="bilinear", padding_mode=_PADDING[fill], align_corners=False
    )
    return moved.to(pixels.dtype)


def resample(pixels: Tensor, matrix: Tensor, fill: Fill) -> Tensor:
    """Pictures moved by `matrix`, bilinear: every value stays within its neighbors', so 0..1 is kept.

    Args:
        pixels: ``(batch, channels, height, width)``, floating point.
        matrix: ``(batch, 3, 3)`` from `compose`.
        fill: What is shown beyond the edge: the edge's pixel, the picture mirrored, or 0.

    Returns:
        A new tensor of the shape and dtype of `pixels`.
    """
    return sampled(pixels, sampling_grid(matrix, *pixels.shape[-2:]), fill)


def boxes(shares: tuple[Tensor, Tensor], sides: tuple[int, int], generator: torch.Generator) -> Tensor:
    """``(batch, 1, height, width)`` bool: a rectangle per picture, fully inside it, at a uniformly drawn place.

    Args:
        shares: Its height and width as shares of the picture's sides, ``(batch,)`` each, in 0..1.
        sides: The picture's height and width in pixels.
        generator: On the device of `shares`.
    """
    inside = []
    for share, side in zip(shares, sides, strict=True):
        start = _rows.uniform(0, 1, len(share), generator) * (1 - share)
        center = (torch.arange(side, device=share.device) + 0.5) / side
        inside.append((center >= start[:, None]) & (center < (start + share)[:, None]))
    return (inside[0][:, :, None] & inside[1][:, None, :])[:, None]


def _centers(side: int, like: Tensor) -> Tensor:
    """``(side,)`` centers of `side` pixels in -1..1."""
    return (torch.arange(side, device=like.device, dtype=like.dtype) * 2 + 1) / side - 1

"""What `rand_augment` and `trivial_augment` share: operations at a strength from 0 to 1, and rows that each draw their
own.

A level is a strength with a sign. The ranges are those of Cubuk et al., "RandAugment" (2020), where it has the
operation: turns up to 30 degrees, slants up to .3, geometric up to .45 of the side, contrast and saturation up to .9
either way.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from rarebird.methods.augmentation import _geometry, _rows, brightness, contrast, erase, noise, saturation
from rarebird.methods.augmentation.blur import blurred, radius
from rarebird.methods.augmentation.rotate import rotation
from rarebird.methods.augmentation.scale import magnification
from rarebird.methods.augmentation.shear import slant
from rarebird.methods.augmentation.translate import translation

if TYPE_CHECKING:
    from rarebird.data.spec import InputSpec
    from rarebird.slots.protocols import Inputs

TURN, SLANT, MOVE, GROWTH = math.radians(30), 0.3, 0.45, 0.5
SHIFT, GAIN, SIGMA, NOISE, AREA, RATIO = 1.0, 0.9, 2.0, 0.5, 0.3, 3.3

GeometricOperation = Callable[[Tensor], Tensor]
"""Levels ``(n,)`` in -1..1 -> matrices ``(n, 3, 3)`` as in `_geometry`."""
PhotometricOperation = Callable[[Tensor, Tensor, torch.Generator], Tensor]
"""Pixels ``(n, channels, height, width)``, levels ``(n,)`` and a generator -> new pixels."""


def geometric(flips: bool) -> tuple[GeometricOperation, ...]:
    """The geometric operations; with `flips`, a horizontal flip is one of them."""
    still = torch.zeros_like
    found: list[GeometricOperation] = [
        lambda level: rotation(level * TURN),
        lambda level: slant((level * SLANT).atan(), still(level)),
        lambda level: slant(still(level), (level * SLANT).atan()),
        lambda level: translation(level * MOVE, still(level)),
        lambda level: translation(still(level), level * MOVE),
        lambda level: magnification((level * math.log1p(GROWTH)).exp()),
    ]
    # A flip has no strength.
    return (*found, lambda level: _geometry.affine(xx=torch.full_like(level, -1.0))) if flips else tuple(found)


def photometric(spec: InputSpec, most: float) -> tuple[PhotometricOperation, ...]:
    """The photometric operations and erasing, at strengths up to `most`; saturation only for pictures of three
    channels."""
    std, reach = _rows.pixel_std(spec), radius(most * SIGMA)
    found: list[PhotometricOperation] = [
        lambda pixels, level, _: brightness.shifted(pixels, level * SHIFT * std),
        lambda pixels, level, _: contrast.stretched(pixels, 1 + level * GAIN),
        lambda pixels, level, _: blurred(pixels, level.abs() * SIGMA, reach),
        lambda pixels, level, draws: noise.noisy(pixels, _rows.normal(pixels, draws), level.abs() * NOISE * std),
        lambda pixels, level, draws: erase.without_box(pixels, level.abs() * AREA, RATIO, spec.mean, draws),
    ]
    return (
        (*found, lambda pixels, level, _: saturation.saturated(pixels, 1 + level * GAIN))
        if spec.channels == 3
        else tuple(found)
    )


@dataclass(frozen=True)
class RandomOperations(_rows.RowWise):
    """Each row draws its own operations with replacement; all operations, and "none", are equally likely.

    An operation runs only over the rows that drew it. A row's geometric operations come first and are composed, so that
    it is resampled once.

    Attributes:
        geometric: Geometric operations.
        photometric: Photometric operations.
        number: Operations per row.
        least: Smallest strength, 0..1.
        most: Largest strength, 0..1; strengths are uniform between the two, with a random sign.
        p: Share of the rows that change.
        fill: What is shown beyond the edge of a moved picture.
    """

    geometric: tuple[GeometricOperation, ...]
    photometric: tuple[PhotometricOperation, ...]
    number: int
    least: float
    most: float
    p: float
    fill: _geometry.Fill

    def __call__(
        self, x: Inputs, y: Tensor, weight: Tensor, generator: torch.Generator
    ) -> tuple[Inputs, Tensor, Tensor]:
        pixels = x["pixels"]
        chosen, level = self.draw(len(pixels), generator)
        # The only transfer of draws from the device to the host: how many rows drew each operation.
        sizes = functional.one_hot(chosen, len(self.geometric) + len(self.photometric) + 1).sum(1).tolist()
        groups = [order.split(size) for order, size in zip(chosen.argsort(dim=1), sizes, strict=True)]
        changed = self._moved(pixels, chosen, level, groups)
        for strengths, group in zip(level, groups, strict=True):
            for retouch, drew in zip(self.photometric, group[len(self.geometric) : -1], strict=True):
                if len(drew):
                    changed.index_copy_(0, drew, retouch(changed.index_select(0, drew), strengths[drew], generator))
        return {**x, "pixels": changed}, y, weight

    def draw(self, batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """``(number, batch)`` each: the index of an operation among geometric, photometric and none, in this order; and
        its level."""
        shape, none = (self.number, batch), len(self.geometric) + len(self.photometric)
        chosen = torch.randint(none + 1, shape, generator=generator, device=generator.device)
        strength = _rows.uniform(self.least, self.most, self.number * batch, generator).view(shape)
        sign = 1 - 2 * torch.randint(2, shape, generator=generator, device=generator.device)
        return torch.where(_rows.bernoulli(self.p, batch, generator), chosen, none), strength * sign

    def _moved(self, pixels: Tensor, chosen: Tensor, level: Tensor, groups: list[tuple[Tensor, ...]]) -> Tensor:
        """A copy of the pixels in which the rows that drew geometric operations are resampled."""
        moved = pixels.clone()
        at = (chosen < len(self.geometric)).any(0).nonzero()[:, 0]
        if not len(at):
            return moved
        matrices = torch.eye(3, device=level.device).repeat(*chosen.shape, 1, 1)
        for matrix, strengths, group in zip(matrices, level, groups, strict=True):
            for move, drew in zip(self.geometric, group, strict=False):
                if len(drew):
                    matrix[drew] = move(strengths[drew])
        matrix = _geometry.compose(list(matrices[:, at]), *pixels.shape[-2:])
        return moved.index_copy_(0, at, _geometry.resample(pixels.index_select(0, at), matrix, self.fill))

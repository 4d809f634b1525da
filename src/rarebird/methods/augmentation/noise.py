"""Add Gaussian noise of a random strength to each picture.

Training with noise acts like a Tikhonov penalty on the network's slope: Bishop, "Training with Noise is Equivalent to
Tikhonov Regularization" (Neural Computation 1995). Row i becomes ``clamp(x + s_i e, 0, 1)`` with e standard normal per
value and s_i uniform from 0 to `strength` standard deviations of the training pixels (root mean square over channels),
so that a setting means the same on bright photographs and on dark 12-bit scans.

*Label-safe when:* the strength stays below the contrast that separates the classes; texture and grain may be the label.
*Helps when:* sensors at prediction have other noise, or the network memorizes few rows.
*Does not help when:* pictures are clean and plenty, or fine texture decides.
*Cost:* two passes over the pixels, and normal draws: the slowest of the photometric methods on a CPU.

NOTE[DIFF]: normal draws cost more on a CPU than everything else that is done to a large picture, so pictures of more
than `STEP` values read overlapping windows of one long array of draws, `STEP` apart. Within a picture the noise is
independent, as it should be; two pictures of a batch may share a part of it, at different places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

import torch
from pydantic import Field
from torch import Tensor

from rarebird.methods.augmentation import _rows
from rarebird.methods.augmentation._strength import WithStrength
from rarebird.slots.ranges import Float

if TYPE_CHECKING:
    from rarebird.slots.protocols import BoundAugmentation, TrainStatistics

KINDS = ("image",)
# A prime, so that a shift by it never is a shift by whole rows or channels of a picture.
STEP = 4099


class Noise(WithStrength):
    """Settings.

    Attributes:
        strength: Largest standard deviation of the noise, in standard deviations of the training pixels.
        p: Share of the rows that get noise.
    """

    strength: Annotated[float, Float(0.01, 0.5, log=True), Field(ge=0, le=5)] = 0.1
    p: float = Field(default=1.0, ge=0, le=1)

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; half of the rows, strongly."""
        return [cls(), cls(strength=0.5, p=0.5)]

    def bound(self, statistics: TrainStatistics) -> BoundAugmentation:
        """The augmentation for batches."""
        most = self.strength * _rows.pixel_std(statistics.spec)
        if most == 0:
            return _rows.unchanged

        def draw(pixels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
            return windows(pixels, generator), _rows.uniform(0, most, len(pixels), generator)

        return _rows.Photometric(self.p, draw, noisy)


def windows(like: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal draws, one for each element of `like`; rows of up to `STEP` values are independent.

    Longer rows are windows of one array, each `STEP` values after the one before. The result is a view whose rows share
    memory: read it only.
    """
    values = like[0].numel()
    step = min(values, STEP)
    drawn = torch.randn((len(like) - 1) * step + values, generator=generator, device=generator.device)
    return drawn.unfold(0, values, step).view(like.shape)


def noisy(pixels: Tensor, noise: Tensor, level: Tensor) -> Tensor:
    """`pixels` ``(batch, channels, height, width)`` plus `noise` of the same shape times `level` ``(batch,)``, kept in
    0..1."""
    return torch.addcmul(pixels, noise.to(pixels.dtype), _rows.broadcastable(level, pixels)).clamp_(0, 1)

"""Blur each picture by a Gaussian of random width.

One of the operations of Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations" (SimCLR,
ICML 2020), appendix A. Row i is convolved with ``exp(-d^2 / (2 s_i^2))``, d the distance in pixels, with s_i uniform
from 0 to `sigma`, along one axis after the other; beyond the edge, the edge's pixels are repeated.

*Label-safe when:* shape and color separate the classes. Not where sharpness, grain or very thin lines are the evidence
(cracks, microcalcifications, texture).
*Helps when:* focus, motion or resolution differs between pictures, sites or devices, or the network relies on high
frequencies.
*Does not help when:* pictures are tiny (at 28 pixels a width of 1 removes much of the detail), or all pictures are
equally sharp.
*Cost:* a pass over the pixels for each step of the filter, ``6 sigma + 2`` in all; at the default about as much as one
bilinear resampling.

NOTE[DIFF]: the original blurs half of the rows, with widths from .1 to 2 pixels at 224 pixels; here all rows by
default, with widths from 0. The filter ends at three times the largest width; less than .3 % of it lies beyond.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from rarebird.methods.augmentation import _rows
from rarebird.methods.augmentation._strength import WithStrength
from rarebird.slots.ranges import Float

if TYPE_CHECKING:
    from rarebird.slots.protocols import BoundAugmentation, Inputs, TrainStatistics

KINDS = ("image",)
# Avoids a division by a width of 0; at this width, too, the filter is 1 at the center and 0 elsewhere.
LEAST = 1e-3


class Blur(WithStrength):
    """Settings.

    Attributes:
        sigma: Largest standard deviation of the Gaussian, in pixels of the size that the network sees.
        p: Share of the rows that are blurred.
    """

    test_time: ClassVar[bool] = True
    off_at_zero: ClassVar[tuple[str, ...]] = ("sigma", "p")

    sigma: Annotated[float, Float(0.3, 2.0, log=True), Field(ge=0, le=20)] = 1.0
    p: float = Field(default=1.0, ge=0, le=1)

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; half of the rows, strongly."""
        return [cls(), cls(sigma=2, p=0.5)]

    def bound(self, statistics: TrainStatistics) -> BoundAugmentation:
        """The augmentation for batches."""

        def blurry(x: Inputs, generator: torch.Generator) -> Tensor:
            pixels = x["pixels"]
            return blurred(pixels, _rows.uniform(0, self.sigma, len(pixels), generator), radius(self.sigma))

        return _rows.ChangedEntry("pixels", self.p, blurry)


def radius(sigma: float) -> int:
    """Pixels to either side of a filter's center that a Gaussian of width `sigma` needs."""
    return max(1, math.ceil(3 * sigma))


def blurred(pixels: Tensor, sigma: Tensor, reach: int) -> Tensor:
    """Pictures convolved with a Gaussian each, along one axis after the other.

    A sum of shifted pictures, not a grouped convolution: with a filter per row, a CPU compiles that again for every
    number of rows.

    Args:
        pixels: ``(batch, channels, height, width)``, floating point.
        sigma: ``(batch,)`` standard deviations in pixels, 0 or more.
        reach: Pixels that the filter extends to either side.

    Returns:
        A new tensor of the shape and dtype of `pixels`, in 0..1.
    """
    taps = torch.exp(
        -0.5 * (torch.arange(reach + 1, device=sigma.device) / sigma.float().clamp(min=LEAST)[:, None]) ** 2
    )
    # All taps but the center's occur on both sides.
    taps = (taps / (2 * taps.sum(1, keepdim=True) - taps[:, :1]))[..., None, None, None]
    blurry = pixels.float()
    pair = torch.empty_like(blurry)
    for axis, padding in ((-2, (0, 0, reach, reach)), (-1, (reach, reach, 0, 0))):
        side = pixels.shape[axis]
        padded = functional.pad(blurry, padding, mode="replicate")
        blurry = blurry * taps[:, 0]
        for distance in range(1, reach + 1):
            torch.add(
                padded.narrow(axis, reach - distance, side), padded.narrow(axis, reach + distance, side), out=pair
            )
            blurry.addcmul_(pair, taps[:, distance])
    return blurry.clamp_(0, 1).to(pixels.dtype)

"""Multiply each series by a smooth random curve.

"Magnitude warping" of Um et al., "Data Augmentation of Wearable Sensor Data for Parkinson's Disease Monitoring using
Convolutional Neural Networks" (ICMI 2017). Channel c of row i becomes ``g_ic(t) x_c(t)``; g_ic is the natural cubic
spline through `knots` evenly spaced moments from the series' first step to its last. Its heights at the knots are drawn
from a normal distribution of mean 1 and standard deviation `strength`; below 0 it becomes 0.

*Label-safe when:* slow changes of amplitude come from gain, contact or fatigue, not from the class.
*Helps when:* sensors loosen, drift or are worn differently, and rows are few.
*Does not help when:* the relative height of peaks is the label.
*Cost:* a few passes over one channel per knot, and one over the series.

NOTE[DIFF]: series are standardized, so that the curve acts on deviations from the channel's mean, not from the sensor's
zero. The original's spline is not-a-knot, which swings wider at the ends, and its factor may be negative, which turns
the curve upside down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

import torch
from pydantic import Field
from torch import Tensor

from rarebird.methods.augmentation import _rows
from rarebird.methods.augmentation._strength import WithStrength
from rarebird.slots.ranges import Float, Int

if TYPE_CHECKING:
    from rarebird.slots.protocols import BoundAugmentation, Inputs, TrainStatistics

KINDS = ("series",)


class MagnitudeWarp(WithStrength):
    """Settings.

    Attributes:
        strength: Standard deviation of the factor about 1, at the knots.
        knots: Number of moments at which a factor is drawn; both ends are among them.
        p: Share of the rows that are warped.
    """

    strength: Annotated[float, Float(0.02, 0.5, log=True), Field(ge=0, le=1)] = 0.2
    knots: Annotated[int, Int(2, 8), Field(ge=2, le=100)] = 4
    p: float = Field(default=1.0, ge=0, le=1)

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; half of the rows, strongly."""
        return [cls(), cls(strength=0.5, knots=8, p=0.5)]

    def bound(self, statistics: TrainStatistics) -> BoundAugmentation:
        """The augmentation for batches."""

        def warped(x: Inputs, generator: torch.Generator) -> Tensor:
            values, last = x["values"], (x["lengths"] - 1)[:, None]
            shape = (*values.shape[:2], self.knots)
            heights = torch.randn(shape, generator=generator, device=generator.device).mul_(self.strength).add_(1)
            moment = torch.minimum(torch.arange(values.shape[-1], device=values.device), last) / last.clamp(min=1)
            return values * spline(heights, moment * (self.knots - 1)).clamp_(min=0).to(values.dtype)

        return _rows.ChangedEntry("values", self.p, warped)


def spline(heights: Tensor, moments: Tensor) -> Tensor:
    """Natural cubic splines through evenly spaced knots.

    Args:
        heights: ``(batch, channels, knots)``, at the moments 0, 1, ... knots - 1.
        moments: ``(batch, n)``, 0 to knots - 1; all channels of a row share them.

    Returns:
        ``(batch, channels, n)``.
    """
    knots = heights.shape[-1]
    # Second derivatives m solve m[k-1] + 4 m[k] + m[k+1] = 6 (h[k-1] - 2 h[k] + h[k+1]) at the inner knots, and are 0
    # at the ends.
    bends = torch.zeros_like(heights)
    if knots > 2:
        ones = torch.ones(knots - 3)
        system = torch.diag(ones, 1) + torch.diag(ones, -1) + 4 * torch.eye(knots - 2)
        bends[..., 1:-1] = 6 * heights.diff(n=2) @ torch.linalg.inv(system).to(heights)
    # A knot's hat function falls from 1 at the knot to 0 at its neighbors; between two knots, hats are the weights of
    # linear interpolation.
    hats = (1 - (moments[:, None] - torch.arange(knots, device=moments.device)[:, None]).abs()).clamp_(min=0)
    return heights @ hats + bends @ ((hats**3 - hats) / 6)

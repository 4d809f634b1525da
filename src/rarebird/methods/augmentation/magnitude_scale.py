"""Multiply each channel of each series by a random factor.

"Scaling" of Um et al., "Data Augmentation of Wearable Sensor Data for Parkinson's Disease Monitoring using
Convolutional Neural Networks" (ICMI 2017). Channel c of row i becomes ``g_ic x_c`` with g_ic from a normal distribution
of mean 1 and standard deviation `strength`, not below 0.

*Label-safe when:* amplitude depends on the sensor's gain and place or on body size, not on the class.
*Helps when:* sensors differ in gain between people, sites or devices.
*Does not help when:* the height of a peak is the label, or each series is normalized by its own deviation anyway.
*Cost:* one pass.

NOTE[DIFF]: series are standardized, so the factor acts on deviations from the channel's mean, not from the sensor's
zero; a negative factor, which would turn the curve upside down, becomes 0.
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
    from rarebird.slots.protocols import BoundAugmentation, Inputs, TrainStatistics

KINDS = ("series",)


class MagnitudeScale(WithStrength):
    """Settings.

    Attributes:
        strength: Standard deviation of the factor about 1.
        p: Share of the rows that are scaled.
    """

    strength: Annotated[float, Float(0.02, 0.5, log=True), Field(ge=0, le=1)] = 0.1
    p: float = Field(default=1.0, ge=0, le=1)

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; half of the rows, strongly."""
        return [cls(), cls(strength=0.5, p=0.5)]

    def bound(self, statistics: TrainStatistics) -> BoundAugmentation:
        """The augmentation for batches."""

        def scaled(x: Inputs, generator: torch.Generator) -> Tensor:
            values = x["values"]
            factor = 1 + self.strength * _rows.normal(values[:, :, :1], generator)
            return values * factor.clamp_(min=0)

        return _rows.ChangedEntry("values", self.p, scaled)

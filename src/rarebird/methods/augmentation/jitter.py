"""Add Gaussian noise of a random strength to each series.

"Jittering" of Um et al., "Data Augmentation of Wearable Sensor Data for Parkinson's Disease Monitoring using
Convolutional Neural Networks" (ICMI 2017). Row i becomes ``x + s_i e`` with e standard normal per value and s_i uniform
from 0 to `strength`; series are standardized, so the unit is a channel's standard deviation over the training rows.

*Label-safe when:* the strength stays below the small variations that separate the classes.
*Helps when:* sensors are noisy and rows few.
*Does not help when:* small fast detail is the evidence (an ECG's P wave at high strength).
*Cost:* one normal draw per value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

import torch
from pydantic import Field
from torch import Tensor

from rarebird.methods.augmentation import _rows, _timeline
from rarebird.methods.augmentation._strength import WithStrength
from rarebird.slots.ranges import Float

if TYPE_CHECKING:
    from rarebird.slots.protocols import BoundAugmentation, Inputs, TrainStatistics

KINDS = ("series",)


class Jitter(WithStrength):
    """Settings.

    Attributes:
        strength: Largest standard deviation of the noise, in standard deviations of the channel.
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

        def jittered(x: Inputs, generator: torch.Generator) -> Tensor:
            values = x["values"]
            level = _rows.uniform(0, self.strength, len(values), generator)
            noise = _rows.normal(values, generator) * _timeline.own_steps(x["lengths"], values.shape[-1])
            return torch.addcmul(values, noise, _rows.broadcastable(level, values))

        return _rows.ChangedEntry("values", self.p, jittered)

"""Move each series along time by a random number of steps.

Le Guennec, Malinowski, Tavenard, "Data Augmentation for Time Series Classification using Convolutional Neural Networks"
(2016) slide windows over series; here the whole series moves. Row i moves by whole steps, up to ``fraction`` of its own
length either way; the new steps at one end repeat its first or last value.

*Label-safe when:* the moment of an event does not matter, only its shape. Not for series that are aligned on purpose
(phase, time of day).
*Helps when:* windows were cut at arbitrary moments.
*Does not help when:* the network does not depend on place anyway (global pooling and no dense layer over time).
*Cost:* one gather.

NOTE[DIFF]: sliding windows shorten the series; this keeps its length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Self

import torch
from pydantic import Field
from torch import Tensor

from rarebird.methods.augmentation import _rows, _timeline
from rarebird.methods.augmentation._strength import WithStrength
from rarebird.slots.ranges import Float

if TYPE_CHECKING:
    from rarebird.slots.protocols import BoundAugmentation, Inputs, TrainStatistics

KINDS = ("series",)


class TimeShift(WithStrength):
    """Settings.

    Attributes:
        fraction: Largest move in either direction, as a share of the series' own length.
        p: Share of the rows that are moved.
    """

    test_time: ClassVar[bool] = True
    off_at_zero: ClassVar[tuple[str, ...]] = ("fraction", "p")

    fraction: Annotated[float, Float(0.02, 0.3), Field(ge=0, le=1)] = 0.1
    p: float = Field(default=1.0, ge=0, le=1)

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; half of the rows, far."""
        return [cls(), cls(fraction=0.3, p=0.5)]

    def bound(self, statistics: TrainStatistics) -> BoundAugmentation:
        """The augmentation for batches."""

        def shifted(x: Inputs, generator: torch.Generator) -> Tensor:
            steps = (_rows.symmetric(self.fraction, len(x["values"]), generator) * x["lengths"]).round()
            return moved(x["values"], x["lengths"], steps)

        return _rows.ChangedEntry("values", self.p, shifted)


def moved(values: Tensor, lengths: Tensor, steps: Tensor) -> Tensor:
    """`values` ``(batch, channels, length)`` later by `steps` ``(batch,)``; the ends repeat, and the padding stays
    0."""
    times = torch.arange(values.shape[-1], device=values.device) - steps[:, None]
    times = torch.minimum(times.clamp_(min=0), lengths[:, None] - 1)
    return _timeline.interpolated(values, times) * _timeline.own_steps(lengths, values.shape[-1])

"""Stretch and squeeze each series along time: faster in some parts, slower in others.

"Time warping" of Um et al., "Data Augmentation of Wearable Sensor Data for Parkinson's Disease Monitoring using
Convolutional Neural Networks" (ICMI 2017). The speed of row i at `knots` evenly spaced moments is ``exp(strength e)``
with e standard normal, linear between them; the series is read along the running sum of its speed, stretched so that it
starts and ends where it did.

*Label-safe when:* the class depends on the order of events and not on their tempo: gestures, speech, walking. Not for
rhythm (heart rate, machine speed).
*Helps when:* people or machines do the same thing at changing pace and rows are few.
*Does not help when:* frequency is the label, or the series are locked to a clock.
*Cost:* a running sum and one gather; values between steps are interpolated.

NOTE[DIFF]: the original takes a cubic spline of normal speeds, which can become negative and run time backwards; an
exponential speed cannot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Self

import torch
from pydantic import Field
from torch import Tensor

from rarebird.methods.augmentation import _rows, _timeline
from rarebird.methods.augmentation._strength import WithStrength
from rarebird.slots.ranges import Float, Int

if TYPE_CHECKING:
    from rarebird.slots.protocols import BoundAugmentation, Inputs, TrainStatistics

KINDS = ("series",)


class TimeWarp(WithStrength):
    """Settings.

    Attributes:
        strength: Standard deviation of the logarithm of the speed.
        knots: Number of moments at which a speed is drawn; both ends are among them.
        p: Share of the rows that are warped.
    """

    test_time: ClassVar[bool] = True

    strength: Annotated[float, Float(0.05, 0.8), Field(ge=0, le=3)] = 0.2
    knots: Annotated[int, Int(2, 8), Field(ge=2, le=100)] = 4
    p: float = Field(default=1.0, ge=0, le=1)

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; half of the rows, strongly."""
        return [cls(), cls(strength=0.8, knots=8, p=0.5)]

    def bound(self, statistics: TrainStatistics) -> BoundAugmentation:
        """The augmentation for batches."""

        def warp(x: Inputs, generator: torch.Generator) -> Tensor:
            speed = (
                torch.randn(len(x["values"]), self.knots, generator=generator, device=generator.device)
                .mul_(self.strength)
                .exp_()
            )
            return warped(x["values"], x["lengths"], speed)

        return _rows.ChangedEntry("values", self.p, warp)


def warped(values: Tensor, lengths: Tensor, speed: Tensor) -> Tensor:
    """Series read at a changing pace.

    Args:
        values: ``(batch, channels, length)``.
        lengths: ``(batch,)`` each series' own steps.
        speed: ``(batch, knots)`` positive, at evenly spaced moments from the series' first step to its last.

    Returns:
        ``(batch, channels, length)``; first and last step of each series are its own, and the padding stays 0.
    """
    last = (lengths - 1)[:, None]
    steps = torch.arange(values.shape[-1], device=values.device)
    moment = torch.minimum(steps, last) / last.clamp(min=1) * (speed.shape[1] - 1)
    pace = _timeline.interpolated(speed[:, None], moment)[:, 0]
    path = pace.cumsum(1)
    path = path - path[:, :1]
    # A series of one step has no path; beyond a series' end the path stays at its last step.
    end = torch.where(last > 0, path.gather(1, last), 1)
    times = torch.minimum(path / end * last, last.to(path.dtype))
    return _timeline.interpolated(values, times) * _timeline.own_steps(lengths, values.shape[-1])

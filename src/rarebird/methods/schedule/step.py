"""Step: the learning rate is divided at given points of the training.

He, Zhang, Ren and Sun, "Deep residual learning for image recognition", CVPR 2016 (by 10 at a half and three quarters of
the steps), the schedule behind most figures of the long-tail literature; warm-up from Goyal et al., "Accurate, large
minibatch SGD", 2017.

*Helps when* a published recipe is to be repeated, or deferred re-weighting should begin just after a fall of the rate.

*Does not help when* there is no time to find the points: a cosine needs none.

Cost: nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import Field, field_validator

from rarebird.core.checks import require
from rarebird.methods.schedule._warm_up import rise
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")


class Step(Method):
    """Where the rate falls, and how far.

    Attributes:
        milestones: Shares of the steps after which the rate falls, each time by `factor`; increasing, between 0 and 1.
        factor: Multiplies the rate at each milestone.
        warm_up: Share of the steps over which the rate rises.
    """

    milestones: tuple[float, ...] = (0.5, 0.75)
    factor: Annotated[float, Float(0.02, 0.5, log=True)] = Field(default=0.1, gt=0, lt=1)
    warm_up: Annotated[float, Float(0, 0.3)] = Field(default=0.0, ge=0, le=0.3)

    @field_validator("milestones")
    @classmethod
    def _increasing(cls, milestones: tuple[float, ...]) -> tuple[float, ...]:
        bounds = (0.0, *milestones, 1.0)
        rising = all(before < after for before, after in itertools.pairwise(bounds))
        require(rising, "0 < milestones < 1, increasing", milestones=milestones)
        return milestones

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(milestones=(0.8,), factor=0.01, warm_up=0.025)]

    def __call__(self, progress: float, losses: Sequence[float] = ()) -> float:
        """Factor on the learning rate at `progress`, 0..1 of the planned steps."""
        passed = sum(progress >= milestone for milestone in self.milestones)
        return float(rise(progress, self.warm_up) * self.factor**passed)

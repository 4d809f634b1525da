"""Constant: one learning rate from the first step to the last, with an optional warm-up.

The textbook's setting (Robbins and Monro, "A stochastic approximation method", 1951, show why rates should fall to
converge).

*Helps when* weights are averaged anyway (`ema`, `swa`, `schedule_free_adamw`), or to measure the effect of a schedule.

*Does not help when* the last weights are used as they are: they keep moving around the minimum.

Cost: nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import Field

from rarebird.methods.schedule._warm_up import rise
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")


class Constant(Method):
    """Settings of the warm-up.

    Attributes:
        warm_up: Share of the steps over which the rate rises.
    """

    warm_up: Annotated[float, Float(0, 0.3)] = Field(default=0.0, ge=0, le=0.3)

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(warm_up=0.05)]

    def __call__(self, progress: float, losses: Sequence[float] = ()) -> float:
        """Factor on the learning rate at `progress`, 0..1 of the planned steps."""
        return rise(progress, self.warm_up)

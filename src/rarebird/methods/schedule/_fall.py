"""Schedules that rise quickly and then fall to the end of the training; a subclass gives the shape of the fall."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from rarebird.methods.schedule._warm_up import after, rise
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float


class Fall(Method):
    """Settings of a schedule that rises and falls once.

    Attributes:
        warm_up: Share of the steps over which the rate rises.
        final_factor: Last rate as a share of the highest.
    """

    warm_up: Annotated[float, Float(0, 0.3)] = Field(default=0.05, ge=0, le=0.3)
    final_factor: float = Field(default=0.0, ge=0, le=1)

    def __call__(self, progress: float, losses: Sequence[float] = ()) -> float:
        """Factor on the learning rate at `progress`, 0..1 of the planned steps."""
        return rise(progress, self.warm_up) * self.fall(after(progress, self.warm_up))

    def fall(self, share: float) -> float:
        """From 1 to `final_factor`, at the share done, 0..1, of the training after the warm-up."""
        raise NotImplementedError

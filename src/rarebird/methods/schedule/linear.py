"""Linear: the learning rate rises quickly, then falls on a straight line to the end of the training.

Defazio, Cutkosky, Mehta and Mishchenko, "Optimal linear decay learning rate schedules and further refinements", 2023,
who find it best in theory for the last weights, and as good as the cosine or better in practice; warm-up from Goyal et
al., "Accurate, large minibatch SGD", 2017.

*Helps when* the length of the training is known and short: it spends fewer steps at the highest rates than the cosine,
and fewer at rates near 0.

*Does not help when* training may end before the planned steps.

Cost: nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from rarebird.methods.schedule._warm_up import after, rise
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")


class Linear(Method):
    """Shape of the line.

    Attributes:
        warm_up: Share of the steps over which the rate rises.
        final_factor: Last rate as a share of the highest.
    """

    warm_up: Annotated[float, Float(0, 0.3)] = Field(default=0.05, ge=0, le=0.3)
    final_factor: float = Field(default=0.0, ge=0, le=1)

    def __call__(self, progress: float, losses: Sequence[float] = ()) -> float:
        """Factor on the learning rate at `progress`, 0..1 of the planned steps."""
        return rise(progress, self.warm_up) * (1 - (1 - self.final_factor) * after(progress, self.warm_up))

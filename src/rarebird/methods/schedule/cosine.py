"""Cosine: the learning rate rises quickly, then falls along half a cosine to the end of the training.

Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, without restarts; warm-up from
Goyal et al., "Accurate, large minibatch SGD", 2017.

*Helps when* the length of the training is known, as it is here: at the low rates of the last third the weights
converge.

*Does not help when* training may end before the planned steps.

Cost: nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from rarebird.methods.schedule._warm_up import after, rise
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")


class Cosine(Method):
    """Shape of the curve.

    Attributes:
        warm_up: Share of the steps over which the rate rises.
        final_factor: Last rate as a share of the highest.
    """

    warm_up: Annotated[float, Float(0, 0.3)] = Field(default=0.05, ge=0, le=0.3)
    final_factor: float = Field(default=0.0, ge=0, le=1)

    def __call__(self, progress: float, losses: Sequence[float] = ()) -> float:
        """Factor on the learning rate at `progress`, 0..1 of the planned steps."""
        return cosine(progress, self.warm_up, self.final_factor)


def cosine(progress: float, warm_up: float, final_factor: float) -> float:
    """Linear from 0.01 to 1 up to `warm_up`, then half a cosine from 1 to `final_factor`."""
    way = after(progress, warm_up)
    return rise(progress, warm_up) * (final_factor + (1 - final_factor) * (1 + math.cos(math.pi * way)) / 2)

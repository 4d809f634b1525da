"""Reduce on plateau: the learning rate falls each time the held-out loss stops falling.

The oldest rule of practice (Bengio, "Practical recommendations for gradient-based training of deep architectures",
2012), in the form of torch's `ReduceLROnPlateau`.

*Helps when* it is not known how long the network needs at each rate, and there are enough held-out rows for reliable
evaluations.

*Does not help when* held-out rows are few: their loss then rises and falls by chance. Nor in a short training: there
are about twelve evaluations, and after them the rate may still be too high for the weights to converge.

Cost: nothing; it uses evaluations that are made anyway.

NOTE: where no rows are held out, it follows the training loss.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import Field

from rarebird.methods.schedule._warm_up import rise
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float, Int

KINDS = ("image", "table", "series")
# A new best must be better by this share, so that rounding errors of a converged loss do not count as gains.
GAIN = 1e-4


class ReduceOnPlateau(Method):
    """When the rate falls, and how far.

    Attributes:
        factor: Multiplies the rate each time it falls.
        patience: Evaluations in a row without a new best that are tolerated; at the next one the rate falls.
        warm_up: Share of the steps over which the rate rises.
    """

    factor: Annotated[float, Float(0.1, 0.7)] = Field(default=0.3, gt=0, lt=1)
    patience: Annotated[int, Int(0, 3)] = Field(default=1, ge=0)
    warm_up: Annotated[float, Float(0, 0.3)] = Field(default=0.0, ge=0, le=0.3)

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(factor=0.5, patience=0, warm_up=0.05)]

    def __call__(self, progress: float, losses: Sequence[float] = ()) -> float:
        """Factor on the learning rate at `progress`, given the losses of the evaluations so far."""
        return float(rise(progress, self.warm_up) * self.factor ** falls(losses, self.patience))


def falls(losses: Sequence[float], patience: int) -> int:
    """How often there was no new best for more than `patience` evaluations in a row; the count restarts each time."""
    best, without_gain, count = math.inf, 0, 0
    for loss in losses:
        if loss < best * (1 - GAIN):
            best, without_gain = loss, 0
        else:
            without_gain += 1
        if without_gain > patience:
            without_gain, count = 0, count + 1
    return count

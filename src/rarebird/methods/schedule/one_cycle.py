"""One cycle: the learning rate rises for a third of the training and then falls to almost nothing.

Smith and Topin, "Super-convergence: very fast training of neural networks using large learning rates", 2018; Smith, "A
disciplined approach to neural network hyper-parameters", 2018. Both sides are half a cosine, as in fastai (Howard and
Gugger, 2020).

*Helps when* the highest rate is close to the largest at which training is stable (see ``rarebird learning-rate``): the
rate rises to it slowly, and large rates regularize.

*Does not help when* the rate is moderate anyway: then a third of the training runs at too low a rate.

Cost: nothing.

NOTE[DIFF]: the paper's momentum falls while the rate rises; here the optimizer's momentum is constant.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import Field

from rarebird.core.checks import require
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")


class OneCycle(Method):
    """Shape of the cycle.

    Attributes:
        climb: Share of the steps until the highest rate.
        first_factor: First rate as a share of the highest.
        final_factor: Last rate as a share of the highest.
    """

    climb: Annotated[float, Float(0.1, 0.5)] = Field(default=0.3, gt=0, lt=1)
    first_factor: Annotated[float, Float(0.01, 0.2, log=True)] = Field(default=0.04, gt=0, le=1)
    final_factor: float = Field(default=4e-6, ge=0, le=1)

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(climb=0.45, first_factor=0.1, final_factor=0.001)]

    def __call__(self, progress: float, losses: Sequence[float] = ()) -> float:
        """Factor on the learning rate at `progress`, 0..1 of the planned steps."""
        require(0 <= progress <= 1, "0 <= progress <= 1", progress=progress)
        if progress < self.climb:
            return _between(self.first_factor, 1.0, progress / self.climb)
        return _between(1.0, self.final_factor, (progress - self.climb) / (1 - self.climb))


def _between(start: float, end: float, way: float) -> float:
    """Half a cosine from `start` to `end`."""
    return end + (start - end) * (1 + math.cos(math.pi * way)) / 2

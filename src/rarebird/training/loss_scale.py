"""Loss scaling: gradients of a forward pass in float16 are computed of a loss that is many times as large, because
small ones would be rounded to zero, and are divided by the same number before anybody looks at them.

Micikevicius, Narang, Alben, Diamos, Elsen, Garcia, Ginsburg, Houston, Kuchaiev, Venkatesh and Wu, "Mixed precision
training", ICLR 2018. The scale is dynamic: where a gradient overflows, the step is skipped and the scale is halved;
after `GROWTH_STEPS` good steps in a row it is doubled. bfloat16 has the exponents of float32 and needs none of this.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from rarebird.core.checks import DataError
from rarebird.training import distributed
from rarebird.training.sharding import local

# The numbers of torch's `GradScaler`.
FIRST, GROWTH_STEPS, GROWTH, BACKOFF = 2.0**16, 2000, 2.0, 0.5
# Below it, gradients of a loss of usual size do not overflow: the network itself computes no numbers.
SMALLEST = 2.0**-14
OVERFLOWS = (
    "Each step in float16 overflows: the network's outputs are too large for it; give --set precision=bfloat16 or "
    "--set precision=float32."
)


class GradientOverflowError(Exception):
    """A gradient is infinite or NaN, so that no optimizer may see it.

    Args:
        loss: The mean loss of the batch.
    """

    def __init__(self, loss: Tensor) -> None:
        super().__init__()
        self.loss = loss


@dataclass
class LossScale:
    """The factor of the loss.

    Attributes:
        value: The factor.
        good_steps: Steps since it last changed.
    """

    value: float = FIRST
    good_steps: int = 0

    @torch.no_grad()
    def unscale(self, parameters: Iterable[Tensor]) -> bool:
        """Divide the parameters' gradients by the scale; returns whether they are finite."""
        gradients: list[Tensor] = [local(one.grad) for one in parameters if one.grad is not None]
        if not gradients:
            return True
        torch._foreach_mul_(gradients, 1 / self.value)
        largest = torch.stack([one.abs().max() for one in gradients if one.numel()] or [torch.zeros(())])
        # Of divided gradients, each rank sees its part.
        return float(distributed.total((~largest.isfinite()).sum().float())) == 0

    def accepts(self, parameters: Iterable[Tensor]) -> bool:
        """Whether a step may be taken by these gradients, which are divided by the scale; the scale changes."""
        finite = self.unscale(parameters)
        (self.grow if finite else self.shrink)()
        return finite

    def grow(self) -> None:
        """After a good step."""
        self.good_steps += 1
        if self.good_steps >= GROWTH_STEPS:
            self.value, self.good_steps = self.value * GROWTH, 0

    def shrink(self) -> None:
        """After an overflow.

        Raises:
            DataError: The scale is so small that it is not the reason.
        """
        self.value, self.good_steps = self.value * BACKOFF, 0
        if self.value < SMALLEST:
            raise DataError(OVERFLOWS)

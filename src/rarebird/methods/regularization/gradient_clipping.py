"""Gradient clipping: gradients with a norm above a limit are scaled down to it.

Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", ICML 2013: a gradient whose norm
over all parameters exceeds `max_norm` is scaled down to it.

*Helps when* gradients explode: recurrent networks, transformers without a long warm-up, a rare row of large weight.

*Does not help when* gradients are small, or the optimizer scales them itself: under AdamW only outliers among the steps
change.

Cost: one norm per step.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import nn

from rarebird.slots.hooks import Hook, TrainState
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")


class GradientClipping(Method):
    """Settings of the clipping.

    Attributes:
        max_norm: Largest Euclidean norm of the gradient, over all parameters together.
    """

    max_norm: Annotated[float, Float(0.1, 10, log=True)] = Field(default=1.0, gt=0)

    def attach(self, network: nn.Module) -> Hook:
        """The hook that clips after each backward pass."""
        return _Clip(self.max_norm)


class _Clip(Hook):
    """Scales the gradient down to the limit after each backward pass."""

    def __init__(self, max_norm: float) -> None:
        self.max_norm = max_norm

    def after_backward(self, state: TrainState) -> None:
        nn.utils.clip_grad_norm_(state.network.parameters(), self.max_norm)

"""L1: weights that matter little become exactly zero, by a soft threshold after each step.

Tibshirani, "Regression shrinkage and selection via the lasso", JRSS B 1996; the proximal step of Daubechies, Defrise
and De Mol, "An iterative thresholding algorithm for linear inverse problems", 2004. After each step of the optimizer,
``w <- sign(w) * max(|w| - rate * strength, 0)``, which for plain gradient descent minimizes the mean loss plus
``strength * sum |w|``. The penalty added to the loss instead would give a subgradient, which makes no weight zero.

*Helps when* most inputs are useless, as in wide tables of few rows, or the model should be pruned afterwards.

*Does not help when* many inputs matter a little: L2 spreads the weight over them. Nor with `schedule_free_adamw`: an
average of weights that are only sometimes zero is not zero.

Cost: one pass over the weights per step.

NOTE: under Adam and its variants a step is about as large as the rate, whatever the gradient: a strength of 0.1 then
subtracts a tenth of a step each time. Only weights shrink, never biases or norms. The means of `ema` and `swa` are zero
where the weights are.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from rarebird.slots.hooks import Hook, TrainState
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float
from rarebird.slots.weights import weights

KINDS = ("image", "table", "series")


class L1(Method):
    """How much weights shrink.

    Attributes:
        strength: Subtracted from a weight's size per step at learning rate 1.
    """

    strength_field: ClassVar[str] = "strength"

    strength: Annotated[float, Float(1e-4, 1.0, log=True)] = Field(default=0.01, ge=0)

    def attach(self, network: nn.Module) -> Hook:
        """The hook that shrinks after each step."""
        return Shrinking(self.strength, 0.0)


def shrink(tensors: list[Tensor], by: float, factor: float = 1.0) -> None:
    """``sign(w) * max(|w| - by, 0) * factor`` in place: the proximal step of ``by * |w|`` and, with a factor, of a
    squared penalty."""
    if by:
        # w minus w clamped to -by..by: exactly zero for small weights.
        torch._foreach_sub_(tensors, torch._foreach_clamp_max(torch._foreach_clamp_min(tensors, -by), by))
    if factor != 1:
        torch._foreach_mul_(tensors, factor)


class Shrinking(Hook):
    """The proximal step of ``l1 * |w| + l2 * w ** 2 / 2`` on every trainable weight, after the optimizer's."""

    def __init__(self, l1: float, l2: float) -> None:
        self.l1, self.l2 = l1, l2
        # Found at the first step, in the network that is trained: a copied hook belongs to a copied network.
        self.weights: list[nn.Parameter] = []

    @torch.no_grad()
    def after_step(self, state: TrainState) -> None:
        self.weights = self.weights or weights(state.network)
        trained: list[Tensor] = [weight for weight in self.weights if weight.requires_grad]
        if trained:
            shrink(trained, *self.amounts(state.learning_rate))

    def amounts(self, learning_rate: float) -> tuple[float, float]:
        """What is subtracted from each weight's size, and the factor that multiplies the rest."""
        return learning_rate * self.l1, 1 / (1 + learning_rate * self.l2)

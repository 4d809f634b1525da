"""L2: weights shrink towards zero, by a share per step (weight decay) or by a penalty in the loss.

Hoerl and Kennard, "Ridge regression", Technometrics 1970; Krogh and Hertz, "A simple weight decay can improve
generalization", NeurIPS 1991; on the difference between the two forms Loshchilov and Hutter, "Decoupled weight decay
regularization", ICLR 2019. Decoupled: ``w <- (1 - rate * strength) * w`` after the step. As a penalty: the mean loss
plus ``strength / 2 * sum w ** 2``. Under plain gradient descent the two are the same.

*Helps when* rows are few for the size of the network; a little nearly always.

*Does not help when* the optimizer's own `weight_decay` does it already: the two add up.

Cost: one pass over the weights per step.

NOTE: only weights shrink, never biases or norms.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from rarebird.methods.regularization.l1 import Shrinking
from rarebird.slots.hooks import Hook
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Choice, Float
from rarebird.slots.weights import weights

KINDS = ("image", "table", "series")


class L2(Method):
    """How strong, and in which form.

    Attributes:
        strength: Share of a weight that is subtracted per step at learning rate 1; as a penalty, the factor of half the
            squared weights.
        decoupled: Whether weights shrink after the step; otherwise the penalty is added to the loss, and adaptive
            optimizers scale its gradient with the rest.
    """

    strength_field: ClassVar[str] = "strength"

    strength: Annotated[float, Float(1e-5, 0.5, log=True)] = Field(default=0.01, ge=0)
    decoupled: Annotated[bool, Choice(True, False)] = True

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(strength=1e-3, decoupled=False)]

    def attach(self, network: nn.Module) -> Hook:
        """The hook that shrinks after each step, or gives the penalty."""
        return _Decay(l1=0.0, l2=self.strength) if self.decoupled else _Penalty(self.strength)


class _Decay(Shrinking):
    """Decoupled weight decay after the optimizer's step."""

    def amounts(self, learning_rate: float) -> tuple[float, float]:
        return 0.0, 1 - learning_rate * self.l2


class _Penalty(Hook):
    """Half the squared size of the weights, added to the loss."""

    def __init__(self, strength: float) -> None:
        self.strength = strength
        self.weights: list[nn.Parameter] = []

    def penalty(self, network: nn.Module) -> Tensor | None:
        self.weights = self.weights or weights(network)
        squares = [weight.square().sum() for weight in self.weights if weight.requires_grad]
        return self.strength / 2 * torch.stack(squares).sum() if squares else None

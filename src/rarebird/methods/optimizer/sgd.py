"""SGD with momentum, Nesterov's or the heavy ball's: the classic for convolutional networks.

Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and momentum in deep learning", ICML 2013;
Polyak, "Some methods of speeding up the convergence of iteration methods", 1964. The weights move along the momentum
``m <- momentum * m + gradient``; Nesterov's momentum takes the gradient one move ahead.

*Helps when* a convolutional network trains for many epochs with a tuned rate; most results of the long-tail literature
use it.

*Does not help when* the rate is not tuned, or layers differ in scale (transformers, tables): see `adamw`.

Cost: one number kept per parameter.

NOTE[DIFF]: biases, norms and other vectors do not decay. Decay is part of the gradient, as was usual then, not
decoupled.
"""

from __future__ import annotations

from typing import Annotated, Self

import torch
from pydantic import Field
from torch import nn

from rarebird.methods.optimizer._parameter_groups import fused, parameter_groups
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Choice, Float

KINDS = ("image", "table", "series")


class Sgd(Method):
    """Rate, momentum and decay.

    Attributes:
        learning_rate: Highest rate of the schedule.
        momentum: Decay of the running sum of gradients; 0 is plain gradient descent.
        nesterov: Whether the momentum is Nesterov's, which takes the gradient one move ahead.
        weight_decay: Factor of a weight that is added to its gradient.
    """

    learning_rate: Annotated[float, Float(1e-3, 0.5, log=True)] = Field(default=0.05, gt=0)
    momentum: Annotated[float, Float(0.5, 0.98)] = Field(default=0.9, ge=0, lt=1)
    nesterov: Annotated[bool, Choice(True, False)] = True
    weight_decay: Annotated[float, Float(1e-5, 1e-2, log=True)] = Field(default=5e-4, ge=0)

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(nesterov=False), cls(momentum=0.0)]

    def build(self, network: nn.Module) -> torch.optim.Optimizer:
        """The optimizer of the network's trainable parameters."""
        groups = parameter_groups(network, self.weight_decay)
        # torch refuses Nesterov's momentum where there is none.
        nesterov = self.nesterov and self.momentum > 0
        return torch.optim.SGD(
            groups,
            lr=self.learning_rate,
            momentum=self.momentum,
            nesterov=nesterov,
            fused=True if fused(network) else None,
        )

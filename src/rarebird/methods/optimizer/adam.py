"""Adam: steps scaled per parameter by the running size of its gradient; decay is part of the gradient.

Kingma and Ba, "Adam: A method for stochastic optimization", ICLR 2015: ``w <- w - rate * m / (sqrt(v) + 1e-8)`` with
bias-corrected running means m of the gradient and v of its square.

*Helps when* a published recipe that uses Adam, as most textbook scripts do, is to be repeated.

*Does not help when* weights should decay: the scaling cancels the decay of parameters with large gradients; `adamw`
keeps the two apart.

Cost: two numbers kept per parameter; the fused step takes a fraction of a forward pass.

NOTE[DIFF]: biases, norms and other vectors do not decay.
"""

from __future__ import annotations

from typing import Annotated, Self

import torch
from pydantic import Field
from torch import nn

from rarebird.methods.optimizer._parameter_groups import fused, parameter_groups
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")


class Adam(Method):
    """Settings of the optimizer.

    Attributes:
        learning_rate: Highest rate of the schedule.
        weight_decay: Factor of a weight that is added to its gradient.
        beta1, beta2: Decay of the running means of the gradient and of its square.
    """

    learning_rate: Annotated[float, Float(1e-4, 1e-2, log=True)] = Field(default=1e-3, gt=0)
    weight_decay: Annotated[float, Float(1e-6, 1e-2, log=True)] = Field(default=0.0, ge=0)
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(weight_decay=1e-3)]

    def build(self, network: nn.Module) -> torch.optim.Optimizer:
        """The optimizer of the network's trainable parameters."""
        groups, betas = parameter_groups(network, self.weight_decay), (self.beta1, self.beta2)
        return torch.optim.Adam(groups, lr=self.learning_rate, betas=betas, fused=True if fused(network) else None)

"""Adam: steps scaled per parameter by the running size of its gradient; decay is part of the gradient.

Kingma and Ba, "Adam: A method for stochastic optimization", ICLR 2015: ``w <- w - rate * m / (sqrt(v) + 1e-8)`` with
bias-corrected running means m of the gradient and v of its square.

*Helps when* a published recipe that uses Adam, as most textbook scripts do, is to be repeated.

*Does not help when* weights should decay: the scaling cancels the decay of parameters with large gradients; `adamw`
keeps the two apart.

Cost: two numbers kept per parameter, eight bytes, or two with ``state_bits=8`` (Dettmers et al., "8-bit optimizers via
block-wise quantization", ICLR 2022): for backbones so large that memory is short. The fused step takes a fraction of a
forward pass; that of 8 bits takes longer, above all on CPUs.

NOTE[DIFF]: biases, norms and other vectors do not decay.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

import torch
from pydantic import Field
from torch import nn

from rarebird.methods.optimizer._eight_bit_adam import EightBitAdam
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
        state_bits: Bits of each running mean; with 8, tensors of fewer than 4096 numbers keep float32.
    """

    learning_rate: Annotated[float, Float(1e-4, 1e-2, log=True)] = Field(default=1e-3, gt=0)
    weight_decay: Annotated[float, Float(1e-6, 1e-2, log=True)] = Field(default=0.0, ge=0)
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)
    state_bits: Literal[32, 8] = 32

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(weight_decay=1e-3), cls(state_bits=8)]

    def build(self, network: nn.Module) -> torch.optim.Optimizer:
        """The optimizer of the network's trainable parameters."""
        groups, betas = parameter_groups(network, self.weight_decay), (self.beta1, self.beta2)
        if self.state_bits == 8:
            return EightBitAdam(groups, self.learning_rate, betas, decoupled=False)
        return torch.optim.Adam(groups, lr=self.learning_rate, betas=betas, fused=True if fused(network) else None)

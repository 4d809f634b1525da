"""AdamW: steps scaled per parameter, with weight decay separate from the gradient.

Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019; Kingma and Ba, "Adam", ICLR 2015.

*Helps when* layers differ in scale, as in transformers, recurrent networks and tables, or there is no time to tune: one
rate works for most networks.

*Does not help when* a convolutional network is trained for long with a tuned rate: then SGD with momentum often
generalizes a little better.

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


class Adamw(Method):
    """Settings of the optimizer.

    Attributes:
        learning_rate: Highest rate of the schedule.
        weight_decay: Share of a weight that is subtracted per step at learning rate 1.
        beta1, beta2: Decay of the running means of the gradient and of its square.
        state_bits: Bits of each running mean; with 8, tensors of fewer than 4096 numbers keep float32.
    """

    learning_rate: Annotated[float, Float(1e-4, 1e-2, log=True)] = Field(default=1e-3, gt=0)
    weight_decay: Annotated[float, Float(1e-4, 0.5, log=True)] = Field(default=0.01, ge=0)
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)
    state_bits: Literal[32, 8] = 32

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(state_bits=8)]

    def build(self, network: nn.Module) -> torch.optim.Optimizer:
        """The optimizer of the network's trainable parameters."""
        groups, betas = parameter_groups(network, self.weight_decay), (self.beta1, self.beta2)
        if self.state_bits == 8:
            return EightBitAdam(groups, self.learning_rate, betas, decoupled=True)
        return torch.optim.AdamW(groups, lr=self.learning_rate, betas=betas, fused=True if fused(network) else None)

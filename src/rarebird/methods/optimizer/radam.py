"""RAdam: Adam with a built-in warm-up, which lasts until enough gradients were seen to trust its scale.

Liu, Jiang, He, Chen, Liu, Gao and Han, "On the variance of the adaptive learning rate and beyond", ICLR 2020. The
scaled step is multiplied by ``r_t``, which grows from 0 to 1 with the number of gradients in the running mean of
squares; the first five or so steps, for which the variance of the scale is unbounded, are steps of plain momentum.

*Helps when* there is no time to tune a warm-up.

*Does not help when* the schedule has a warm-up already, or the training is short: rates stay low for about ``2 / (1 -
beta2)`` steps (Ma and Yarats, "On the adequacy of untuned warmup for adaptive optimization", AAAI 2021).

Cost: two numbers kept per parameter, and a step that torch does not fuse.

NOTE[DIFF]: beta2 is 0.99 where the paper has 0.999, which would keep rates low for the first 2,000 steps: more steps
than many trainings on few rows have. Weight decay is decoupled as in `adamw`; biases, norms and other vectors do not
decay.
"""

from __future__ import annotations

from typing import Annotated, Self

import torch
from pydantic import Field
from torch import nn

from rarebird.methods.optimizer._parameter_groups import parameter_groups
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")


class Radam(Method):
    """Settings of the optimizer.

    Attributes:
        learning_rate: Highest rate of the schedule.
        weight_decay: Share of a weight that is subtracted per step at learning rate 1.
        beta1, beta2: Decay of the running means of the gradient and of its square.
    """

    learning_rate: Annotated[float, Float(1e-4, 1e-2, log=True)] = Field(default=1e-3, gt=0)
    weight_decay: Annotated[float, Float(1e-4, 0.5, log=True)] = Field(default=0.01, ge=0)
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: Annotated[float, Float(0.98, 0.999)] = Field(default=0.99, ge=0, lt=1)

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(weight_decay=0.0, beta2=0.999)]

    def build(self, network: nn.Module) -> torch.optim.Optimizer:
        """The optimizer of the network's trainable parameters."""
        groups, betas = parameter_groups(network, self.weight_decay), (self.beta1, self.beta2)
        return torch.optim.RAdam(groups, lr=self.learning_rate, betas=betas, decoupled_weight_decay=True, foreach=True)

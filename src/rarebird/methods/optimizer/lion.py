"""Lion: every weight moves by the same distance, in the direction of the sign of its momentum.

Chen, Liang, Huang, Real, Wang, Pham, Dong, Luong, Hsieh, Lu and Le, "Symbolic discovery of optimization algorithms",
NeurIPS 2023: ``w <- w - rate * (sign(beta1 * m + (1 - beta1) * gradient) + decay * w)``, then ``m <- beta2 * m + (1 -
beta2) * gradient``.

*Helps when* batches are large and the training is long, as for transformers on many rows; it needs half of Adam's
memory.

*Does not help when* batches are small: the sign of a noisy gradient is mostly noise, and all weights take full steps
until the schedule ends.

Cost: one number kept per parameter.

NOTE[DIFF]: biases, norms and other vectors do not decay. The defaults follow the paper's advice: a rate 3 to 10 times
smaller than AdamW's, and a decay larger by the same factor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from rarebird.methods.optimizer._parameter_groups import loss_of, parameter_groups
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")


class Lion(Method):
    """Settings of the optimizer.

    Attributes:
        learning_rate: Highest rate of the schedule; each weight moves by the rate in a step.
        weight_decay: Share of a weight that is subtracted per step at learning rate 1.
        beta1: Share of the momentum in the direction of a step.
        beta2: Decay of the momentum.
    """

    learning_rate: Annotated[float, Float(3e-5, 3e-3, log=True)] = Field(default=3e-4, gt=0)
    weight_decay: Annotated[float, Float(1e-3, 1.0, log=True)] = Field(default=0.1, ge=0)
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.99, ge=0, lt=1)

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(weight_decay=0.0, beta1=0.95, beta2=0.98)]

    def build(self, network: nn.Module) -> torch.optim.Optimizer:
        """The optimizer of the network's trainable parameters."""
        return SignMomentum(parameter_groups(network, self.weight_decay), self.learning_rate, (self.beta1, self.beta2))


class SignMomentum(torch.optim.Optimizer):
    """The paper's algorithm 2, with a few calls for all parameters of a group."""

    def __init__(self, groups: list[dict[str, Any]], learning_rate: float, betas: tuple[float, float]) -> None:
        super().__init__(groups, {"lr": learning_rate, "betas": betas})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; returns the loss that `closure` gives."""
        loss = loss_of(closure)
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if parameters:
                self._move(parameters, group)
        return loss

    def _move(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        gradients: list[Tensor] = [p.grad for p in parameters if p.grad is not None]
        for parameter in parameters:
            if parameter not in self.state:
                self.state[parameter]["momentum"] = torch.zeros_like(parameter)
        momenta: list[Tensor] = [self.state[p]["momentum"] for p in parameters]
        beta1, beta2 = group["betas"]
        directions = torch._foreach_sign(torch._foreach_lerp(momenta, gradients, 1 - beta1))
        torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(parameters, directions, alpha=-group["lr"])
        torch._foreach_lerp_(momenta, gradients, 1 - beta2)

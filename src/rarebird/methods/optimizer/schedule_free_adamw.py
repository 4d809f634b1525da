"""Schedule-free AdamW: an average of the weights takes the place of a falling learning rate.

Defazio, Yang, Mehta, Mishchenko, Khaled and Cutkosky, "The road less scheduled", NeurIPS 2024, algorithm 1. Gradients
are taken at ``y = (1 - beta1) * z + beta1 * x``; the raw weights z take Adam's steps without momentum, ``z <- z -
rate_t * (gradient / sqrt(v) + decay * y)``; their average ``x <- (1 - c) * x + c * z`` with ``c = rate_t ** 2 / sum of
all rate ** 2`` is evaluated and kept.

*Helps when* the end of the training is not known, or held-out rows decide it: the average is ready at any step. Use
``schedule = "constant"``, with a warm-up of about a twentieth of the steps.

*Does not help when* the number of steps is planned, as it is here by default: then `adamw` under `cosine` is as good.
Nor with `ema` or `swa`, which average a second time, or with L1: the average of weights that are only sometimes zero is
not zero.

Cost: two numbers kept per parameter, and a step of about ten passes over the weights that torch does not fuse.

NOTE[DIFF]: the recipe's schedule gives the rates and the warm-up. Biases, norms and other vectors do not decay. Running
statistics of batch normalization are those at y, nine tenths of which is x; the paper computes them again from more
batches.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from rarebird.methods.optimizer._parameter_groups import loss_of, parameter_groups
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")


class ScheduleFreeAdamw(Method):
    """Settings of the optimizer.

    Attributes:
        learning_rate: Highest rate of the schedule.
        weight_decay: Share of a weight that is subtracted per step at learning rate 1.
        beta1: Share of the average in the weights at which gradients are taken.
        beta2: Decay of the running mean of the squared gradient.
    """

    learning_rate: Annotated[float, Float(3e-4, 3e-2, log=True)] = Field(default=2.5e-3, gt=0)
    weight_decay: Annotated[float, Float(1e-4, 0.5, log=True)] = Field(default=0.01, ge=0)
    beta1: Annotated[float, Float(0.8, 0.98)] = Field(default=0.9, gt=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(weight_decay=0.0, beta1=0.95)]

    def build(self, network: nn.Module) -> torch.optim.Optimizer:
        """The optimizer of the network's trainable parameters."""
        return AveragingAdamw(
            parameter_groups(network, self.weight_decay), self.learning_rate, (self.beta1, self.beta2)
        )


class AveragingAdamw(torch.optim.Optimizer):
    """The network contains y in training and, between `eval()` and `train()`, the average x; the optimizer keeps z and
    v."""

    EPSILON = 1e-8

    def __init__(self, groups: list[dict[str, Any]], learning_rate: float, betas: tuple[float, float]) -> None:
        super().__init__(groups, {"lr": learning_rate, "betas": betas})
        self.training = True
        self.steps, self.sum_of_squares = 0, 0.0

    @torch.no_grad()
    def eval(self) -> None:
        """Put the average into the network, if it is not there already."""
        if self.training:
            # x from y = lerp(x, z, 1 - beta1).
            self._mix(lambda beta1: 1 - 1 / beta1)
            self.training = False

    @torch.no_grad()
    def train(self) -> None:
        """Put the weights at which gradients are taken into the network."""
        if not self.training:
            self._mix(lambda beta1: 1 - beta1)
            self.training = True

    def _mix(self, share: Callable[[float], float]) -> None:
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p in self.state]
            if parameters:
                torch._foreach_lerp_(parameters, [self.state[p]["z"] for p in parameters], share(group["betas"][0]))

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; returns the loss that `closure` gives."""
        assert self.training, "train() comes before a step"
        loss = loss_of(closure)
        self.steps += 1
        # The rate of the first group weights the average, as the training loop gives all groups the same rate.
        rate = self.param_groups[0]["lr"] * math.sqrt(1 - self.param_groups[0]["betas"][1] ** self.steps)
        self.sum_of_squares += rate**2
        share = rate**2 / self.sum_of_squares if self.sum_of_squares else 0.0
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if parameters:
                self._move(parameters, group, share)
        return loss

    def _move(self, y: list[Tensor], group: dict[str, Any], share: float) -> None:
        gradients: list[Tensor] = [p.grad for p in y if p.grad is not None]
        beta1, beta2 = group["betas"]
        rate = group["lr"] * math.sqrt(1 - beta2**self.steps)
        for parameter in y:
            if parameter not in self.state:
                self.state[parameter] = {"z": parameter.clone(), "v": torch.zeros_like(parameter)}
        z: list[Tensor] = [self.state[p]["z"] for p in y]
        v: list[Tensor] = [self.state[p]["v"] for p in y]
        torch._foreach_mul_(v, beta2)
        torch._foreach_addcmul_(v, gradients, gradients, 1 - beta2)
        scale = torch._foreach_sqrt(v)
        torch._foreach_add_(scale, self.EPSILON)
        update = torch._foreach_div(gradients, scale)
        if group["weight_decay"]:
            torch._foreach_add_(update, y, alpha=group["weight_decay"])
        # In terms of y and z, so that x need not be kept: y' = (1 - share) * y + share * z - rate * (1 - beta1 * (1 -
        # share)) * update.
        torch._foreach_lerp_(y, z, share)
        torch._foreach_add_(y, update, alpha=rate * (beta1 * (1 - share) - 1))
        torch._foreach_add_(z, update, alpha=-rate)

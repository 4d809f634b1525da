"""EMA: the network that is evaluated and kept is a running mean of the trained one.

Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992, in its exponential form (Tarvainen
and Valpola, "Mean teachers are better role models", NeurIPS 2017; Morales-Brotons, Vogels and Hendrikx, "Exponential
moving average of weights in deep learning: dynamics and benefits", TMLR 2024).

*Helps when* steps are noisy: small batches, strong augmentation, few rows. Scores vary less from one evaluation to the
next, and calibration improves.

*Does not help when* the learning rate is near 0 for many steps at the end: then the mean and the last weights are
nearly the same.

Cost: one pass over the weights per step, and memory for a second copy of them.

NOTE[DIFF]: the mean reaches back over a share of the steps taken so far instead of having a fixed decay
(polynomial-decay averaging: Shamir and Zhang, "Stochastic gradient descent for non-smooth optimization", ICML 2013). So
it works for 200 steps and for 200,000, and the first, bad weights are soon forgotten. Batch-normalization statistics
are averaged, too. Where a weight of the network is exactly zero, as `l1` makes it, the mean's weight is set to zero.
"""

from __future__ import annotations

import copy
import math
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from rarebird.slots.hooks import Hook, TrainState
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")


class Ema(Method):
    """How far back the mean reaches.

    Attributes:
        half_life: Share of the steps taken so far after which the weights of a step count half.
    """

    half_life: Annotated[float, Float(0.005, 0.2, log=True)] = Field(default=0.05, gt=0, le=1)

    def attach(self, network: nn.Module) -> Hook:
        """The hook that keeps the mean."""
        return _Average(self.half_life)


def decay(step: int, half_life: float) -> float:
    """Share of the mean that is kept at step number `step`, at least 1."""
    return math.exp(-math.log(2) / (half_life * step))


def averaged(network: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """Parameters and buffers of `network`: those that are averaged, and counters, which are copied."""
    tensors = [*network.parameters(), *network.buffers()]
    return [t.detach() for t in tensors if t.is_floating_point()], [t for t in tensors if not t.is_floating_point()]


@torch.no_grad()
def keep_zeros(mean: nn.Module, network: nn.Module) -> None:
    """Set the mean's parameters to exactly zero where the network's are zero; a mean alone only comes close."""
    for averaged, parameter in zip(mean.parameters(), network.parameters(), strict=True):
        averaged.masked_fill_(parameter == 0, 0.0)


def copy_with(network: nn.Module, weights: dict[str, Tensor] | None) -> nn.Module | None:
    """A copy of a network with other weights, which learns nothing; None without them."""
    if weights is None:
        return None
    copied = copy.deepcopy(network).requires_grad_(False)
    copied.load_state_dict(weights)
    return copied


class _Average(Hook):
    """Keeps the exponential mean of the weights, and puts it into the network at the end."""

    def __init__(self, half_life: float) -> None:
        self.half_life = half_life
        # The mean is created at the first step, when the network is on its device and in its memory layout.
        self.seen = 1

    @torch.no_grad()
    def after_step(self, state: TrainState) -> None:
        if self.mean is None:
            self.mean = copy.deepcopy(state.network).requires_grad_(False)
            return
        self.seen += 1
        floats, counters = averaged(self.mean)
        new_floats, new_counters = averaged(state.network)
        torch._foreach_lerp_(floats, new_floats, 1 - decay(self.seen, self.half_life))
        for counter, new in zip(counters, new_counters, strict=True):
            counter.copy_(new)

    def before_evaluation(self, state: TrainState) -> nn.Module | None:
        if self.mean is not None:
            keep_zeros(self.mean, state.network)
        return self.mean

    def saved(self) -> dict[str, Any]:
        return {"mean": None if self.mean is None else self.mean.state_dict(), "seen": self.seen}

    def restore(self, saved: dict[str, Any], state: TrainState) -> None:
        self.mean, self.seen = copy_with(state.network, saved["mean"]), saved["seen"]

    @torch.no_grad()
    def after_fit(self, state: TrainState) -> None:
        if self.mean is not None:
            keep_zeros(self.mean, state.network)
            state.network.load_state_dict(self.mean.state_dict())

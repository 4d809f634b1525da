"""SWA: the network that is evaluated and kept is the mean of the trained one over the last part of the training.

Izmailov, Podoprikhin, Garipov, Vetrov and Wilson, "Averaging weights leads to wider optima and better generalization",
UAI 2018: ``mean <- (n * mean + w) / (n + 1)`` over the weights that a constant or cyclic rate passes through.

*Helps when* the rate stays high to the end (``schedule = "constant"``, or a final factor of about a third): the mean
lies in the middle of the region in which the weights move, where the loss is low in every direction.

*Does not help when* the rate ends near 0: then the weights hardly differ. Nor with `ema`, as only the one that is
listed last is evaluated, or where `early_stopping` ends the training before the mean begins.

Cost: one pass over the weights per step of the last part, and memory for a second copy of them; for networks with batch
normalization, memory for eight batches, and their forward passes at each evaluation.

NOTE[DIFF]: weights are averaged after each step and not after each epoch, as an epoch of few rows is only a few steps.
Running statistics of batch normalization are computed again for the mean, as in the paper (the activations of the mean
differ from the mean of the activations), from the last eight batches in place of all rows and with dropout off, as in
evaluation. Where no batch passes through the whole network, the statistics are averaged.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Sequence
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import nn

from rarebird.methods.regularization.ema import averaged, copy_with, keep_zeros
from rarebird.slots.hooks import Hook, TrainState
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")
BATCHES = 8


class Swa(Method):
    """Which steps are averaged.

    Attributes:
        share: Share of the steps, at the end of the training.
    """

    share: Annotated[float, Float(0.05, 0.5)] = Field(default=0.25, gt=0, le=1)

    def attach(self, network: nn.Module) -> Hook:
        """The hook that keeps the mean."""
        return _Mean(self.share)


class _Mean(Hook):
    """Keeps the mean of the weights over the last steps, and puts it into the network at the end."""

    def __init__(self, share: float) -> None:
        self.share = share
        self.seen = 0
        self.complete = False
        self.batches: deque[Any] = deque(maxlen=BATCHES)
        self.listening: torch.utils.hooks.RemovableHandle | None = None

    @torch.no_grad()
    def after_step(self, state: TrainState) -> None:
        if state.step < (1 - self.share) * state.steps:
            return
        self.seen += 1
        self.complete = False
        if self.mean is None:
            self.mean = copy.deepcopy(state.network).requires_grad_(False)
            if normalizations(self.mean):
                self.listening = state.network.register_forward_pre_hook(self._listen)
            return
        floats, counters = averaged(self.mean)
        new_floats, new_counters = averaged(state.network)
        torch._foreach_lerp_(floats, new_floats, 1 / self.seen)
        for counter, new in zip(counters, new_counters, strict=True):
            counter.copy_(new)

    def _listen(self, network: nn.Module, inputs: tuple[Any, ...]) -> None:
        if network.training:
            self.batches.append(inputs[0])

    def before_evaluation(self, state: TrainState) -> nn.Module | None:
        self._complete(state)
        return self.mean

    def saved(self) -> dict[str, Any]:
        kept = {"seen": self.seen, "complete": self.complete, "batches": list(self.batches)}
        return {"mean": None if self.mean is None else self.mean.state_dict(), **kept}

    def restore(self, saved: dict[str, Any], state: TrainState) -> None:
        self.mean, self.seen, self.complete = copy_with(state.network, saved["mean"]), saved["seen"], saved["complete"]
        self.batches.extend(saved["batches"])
        if self.mean is not None and normalizations(self.mean):
            self.listening = state.network.register_forward_pre_hook(self._listen)

    @torch.no_grad()
    def after_fit(self, state: TrainState) -> None:
        if self.listening is not None:
            self.listening.remove()
        self._complete(state)
        self.batches.clear()
        if self.mean is not None:
            state.network.load_state_dict(self.mean.state_dict())

    def _complete(self, state: TrainState) -> None:
        """Make the mean ready for use, at most once per step."""
        if self.mean is not None and not self.complete:
            keep_zeros(self.mean, state.network)
            pairs = zip(normalizations(self.mean), normalizations(state.network), strict=True)
            # A layer that a stage has frozen keeps its statistics.
            estimate_statistics(self.mean, [ours for ours, trained in pairs if trained.training], self.batches)
            self.complete = True


def normalizations(network: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    """The batch normalizations that keep running statistics."""
    return [
        module
        for module in network.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.track_running_stats
    ]


@torch.no_grad()
def estimate_statistics(
    network: nn.Module, layers: Sequence[nn.modules.batchnorm._BatchNorm], batches: Sequence[Any]
) -> None:
    """Set the running statistics of `layers` of `network` to the mean over `batches`; without batches nothing
    changes."""
    if not layers or not batches:
        return
    network.eval()
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        # A momentum of None gives the plain mean.
        layer.momentum = None
        layer.train()
    for batch in batches:
        network(batch)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
        layer.eval()

"""SWA: the network that is judged and kept is the plain mean of the trained one over the last part of the training.

Izmailov, Podoprikhin, Garipov, Vetrov and Wilson, "Averaging weights leads to wider optima and better generalization",
UAI 2018: ``mean <- (n * mean + w) / (n + 1)`` over the weights that a constant or cyclic rate passes through.

*Helps when* the rate stays high to the end (``schedule = "constant"``, or a final factor of about a third): the mean
lies in the middle of what the steps wander about, where the loss is low in every direction.

*Does not help when* the rate ends near 0: there is then one place to be averaged. Nor with `ema`, of which only the one
listed last is judged, or where `early_stopping` ends the training before the mean begins.

Cost: one pass over the weights per step of the last part, and their memory once more; for networks with batch
normalization, the memory of eight batches and their forward passes at each evaluation.

NOTE[DIFF]: weights are averaged after each step and not after each epoch, which few rows may pass in a handful of
steps. Running statistics of batch normalization are computed anew for the mean, as in the paper (the mean's own
activations differ from the mean of the activations), from the last eight batches in place of all rows; dropout is off
meanwhile, as it will be. Where no batch passes through the whole network they are averaged.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Sequence
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import nn

from rarebird.methods.regularization.ema import averaged, keep_zeros
from rarebird.slots.hooks import Hook, TrainState
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")
BATCHES = 8


class Swa(Method):
    """What is averaged.

    Attributes:
        share: Of the steps, counted from the end.
    """

    share: Annotated[float, Float(0.05, 0.5)] = Field(default=0.25, gt=0, le=1)

    def attach(self, network: nn.Module) -> Hook:
        """The hook that keeps the mean."""
        return _Mean(self.share)


class _Mean(Hook):
    def __init__(self, share: float) -> None:
        self.share = share
        self.mean: nn.Module | None = None
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

    @torch.no_grad()
    def after_fit(self, state: TrainState) -> None:
        if self.listening is not None:
            self.listening.remove()
        self._complete(state)
        self.batches.clear()
        if self.mean is not None:
            state.network.load_state_dict(self.mean.state_dict())

    def _complete(self, state: TrainState) -> None:
        """Make the mean ready for use, once after a step."""
        if self.mean is not None and not self.complete:
            keep_zeros(self.mean, state.network)
            pairs = zip(normalizations(self.mean), normalizations(state.network), strict=True)
            # One that a stage has frozen keeps the statistics that it has.
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
    """Set the running statistics of some `layers` of `network` to the mean over `batches`; without any, nothing
    changes."""
    if not layers or not batches:
        return
    network.eval()
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        # A momentum of None is the plain mean.
        layer.momentum = None
        layer.train()
    for batch in batches:
        network(batch)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
        layer.eval()

"""What the trainings of all generators share: batches, steps, learning rate, the mean of the weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rarebird.core.checks import DataError
from rarebird.core.compute import Compute

# The share of the steps in which the learning rate rises, and the share from which on it falls to 0.
RISES_UNTIL, FALLS_FROM = 0.03, 0.5
# The mean of the weights: share of the steps so far after which a step counts half.
HALF_LIFE = 0.06


def balanced_batches(
    codes: np.ndarray, counts: np.ndarray, size: int, draw: np.random.Generator
) -> Iterator[np.ndarray]:
    """Positions of the rows of one batch after the other: each class equally often, and its rows in random order, all
    of them before one comes again; rows that count differently are drawn in proportion.

    Args:
        codes: ``(n,)`` classes of the rows.
        counts: ``(n,)`` how many rows each counts for; rows of 0 never come.
        size: Rows of a batch.
        draw: The randomness.
    """
    present = [np.flatnonzero((codes == code) & (counts > 0)) for code in np.unique(codes)]
    orders = [_order(rows, counts[rows], draw) for rows in present if len(rows)]
    classes: list[int] = []
    while True:
        while len(classes) < size:
            classes += draw.permutation(len(orders)).tolist()
        yield np.array([next(orders[place]) for place in classes[:size]], dtype=np.int64)
        classes = classes[size:]


def _order(rows: np.ndarray, counts: np.ndarray, draw: np.random.Generator) -> Iterator[int]:
    equal = bool((counts == counts[0]).all())
    while True:
        yield from (draw.permutation(rows) if equal else draw.choice(rows, len(rows), p=counts / counts.sum())).tolist()


def steps_of(
    step: Callable[[float], Tensor], steps: int, compute: Compute, name: str, every: int | None = None
) -> None:
    """Take `steps` steps, unless the progress callback ends them.

    Args:
        step: Takes one step, given the share of the steps taken before it; returns the loss.
        steps: How many.
        compute: Its progress is told.
        name: Of the method.
        every: Steps between two calls of the progress callback; None: a hundredth of all.

    Raises:
        DataError: The loss is no number: the training has diverged.
    """
    every = every or max(1, steps // 100)
    for number in range(1, steps + 1):
        loss = step((number - 1) / steps)
        if number % every and number < steps:
            continue
        if not math.isfinite(float(loss)):
            raise DataError(
                f"The loss of the synthesis {name} at step {number} is no number: the training diverged; lower its "
                f"learning rate with --set synthesis.learning_rate=RATE."
            )
        if compute.progress(number / steps, f"synthesis: {name}"):
            return


def mean_of_training(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss_of: Callable[[np.ndarray], Tensor],
    batches: Iterator[np.ndarray],
    settings: Any,
    compute: Compute,
    *,
    most_norm: float = 1.0,
) -> Any:
    """Train a network, and give the one with the mean of its weights over the steps.

    Args:
        network: Is trained in place.
        optimizer: Of its parameters.
        loss_of: The mean loss of the rows at these positions.
        batches: Positions of the rows of one batch after the other.
        settings: The method, with `steps` and `learning_rate`.
        compute: Its progress is told.
        most_norm: A gradient with a larger norm is scaled down to it.

    Raises:
        DataError: The training diverged.
    """
    mean = MeanWeights(network)

    def step(progress: float) -> Tensor:
        set_rate(optimizer, settings.learning_rate, progress)
        loss = loss_of(next(batches))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), most_norm)
        optimizer.step()
        mean.add(network)
        return loss.detach()

    steps_of(step, settings.steps, compute, settings.name)
    return mean.network


def rate_factor(progress: float) -> float:
    """The factor of the learning rate: it rises, stays, and falls along a cosine."""
    if progress < RISES_UNTIL:
        return (progress + 1e-3) / (RISES_UNTIL + 1e-3)
    fallen = max(0.0, progress - FALLS_FROM) / (1 - FALLS_FROM)
    return 0.5 * (1 + math.cos(math.pi * fallen)) + 1e-3


def set_rate(optimizer: torch.optim.Optimizer, rate: float, progress: float) -> None:
    """Put the learning rate of this progress into the optimizer."""
    for group in optimizer.param_groups:
        group["lr"] = rate * rate_factor(progress)


class MeanWeights:
    """A network whose weights are the running mean of another's.

    The mean reaches back over a share of the steps so far (Karras et al., "Analyzing and Improving the Training
    Dynamics of Diffusion Models", CVPR 2024: power-function averages), so that few steps and many need no other
    setting.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self.seen = 0

    @torch.no_grad()
    def add(self, network: nn.Module) -> None:
        """Count the weights after one more step."""
        self.seen += 1
        kept = math.exp(-math.log(2) / (HALF_LIFE * self.seen))
        mean, new = [[one.detach() for one in part.parameters()] for part in (self.network, network)]
        torch._foreach_lerp_(mean, new, 1 - kept)
        for held, changed in zip(self.network.buffers(), network.buffers(), strict=True):
            held.copy_(changed)


def placed(network: nn.Module, device: str) -> nn.Module:
    """The network on the device with channels last: convolutions of small pictures are then about twice as fast on
    CPUs."""
    return network.to(device).to(memory_format=torch.channels_last)


@contextmanager
def torch_draws(draw: np.random.Generator) -> Iterator[torch.Generator]:
    """A torch generator on the CPU, seeded by `draw`; torch's global one is seeded, too, for initial weights and
    dropout, and afterwards as before."""
    seed = int(draw.integers(2**63 - 1))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        generator = torch.Generator()
        generator.manual_seed(seed)
        yield generator

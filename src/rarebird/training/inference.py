"""Logits of many rows, in float32 also after a training in bfloat16: so a fresh process gives the same numbers. Only
the learning curve is computed in the precision of the training.

Pictures have the channels-last memory layout, and batches on a CPU fit into its caches: 2 to 4 times as fast as plain
batches of 512 (`resnet`, pictures a second on one core: 2,800 against 1,300 at 28 px, 790 against 160 at 64 px, 1,370
against 420 at 96 px).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from rarebird.core.checks import DataError
from rarebird.data.stored_inputs import in_reading_order
from rarebird.recipe.recipe import Recipe
from rarebird.slots.protocols import Inputs
from rarebird.slots.stored_modules import OnnxModule
from rarebird.training.batches import ready
from rarebird.training.device import Placement, threads
from rarebird.training.loop import DIVERGED
from rarebird.training.test_time_views import View

# Fewest and most rows in a batch.
SMALLEST, LARGEST = 32, 512
# Most cells in a batch, all inputs together; and where fewer than `SMALLEST` rows have more than these, fewer rows, as
# the features of a network take a hundred times the memory of its inputs.
CPU_CELLS, GPU_CELLS, MOST_CELLS = 2**17, 2**25, 2**20


@torch.inference_mode()
def logits(
    network: nn.Module,
    inputs: Inputs,
    device: str = "cpu",
    batch_size: int | None = None,
    views: Sequence[View] = (),
    precision: str = "float32",
) -> np.ndarray:
    """``(n, n_outputs)`` float64 of the network in evaluation mode; its training mode is restored.

    Args:
        network: On `device`, best with the memory layout of `placement`; another layout gives the same numbers up to
            rounding.
        inputs: The output of `prepare` for one or more rows.
        device: Where the network is.
        batch_size: Rows at a time; None: chosen by the size of a row.
        views: Augmented views of the rows; their probabilities (or values) are averaged with those of the rows.
        precision: In which the network computes.

    Raises:
        DataError: An output is infinite or NaN: the training has diverged.
    """
    was_training = network.training
    network.eval()
    by_other_threads = isinstance(network, OnnxModule)
    wanted = replace(placement(device, "pixels" in inputs and not by_other_threads), precision=precision)
    inputs, order = in_reading_order(inputs)
    n = len(next(iter(inputs.values())))
    batch_size = batch_size or rows_at_once(inputs, device, network)
    # Small tensors of batches, kept among large ones that are freed, would keep 1.5 GB from the system.
    found: Tensor | None = None
    try:
        for start in range(0, n, batch_size):
            # torch's threads stay busy for a while after their work, which would take the time of onnxruntime's.
            with threads(1 if by_other_threads else None):
                x = ready({name: part[start : start + batch_size] for name, part in inputs.items()}, wanted)
            with wanted.autocast():
                each = [network(shown).float() for shown in (x, *(ready(view(x), wanted) for view in views))]
            part = averaged(each).cpu()
            found = part.new_empty((n, *part.shape[1:])) if found is None else found
            found[start : start + len(part)] = part
    finally:
        network.train(was_training)
    assert found is not None
    outputs = found.double().numpy()
    if order is not None:
        outputs[order] = outputs.copy()
    if not np.isfinite(outputs).all():
        raise DataError(f"The network gives outputs that are no numbers: {DIVERGED}")
    return outputs


@torch.no_grad()
def embedded(network: nn.Module, inputs: Inputs, device: str = "cpu") -> Inputs:
    """The outputs of a network's frozen part for these inputs, on the CPU, computed in batches; they are the
    inputs of the other layers."""
    wanted, size = placement(device, pictures="pixels" in inputs), rows_at_once(inputs, device, network)
    n = len(next(iter(inputs.values())))
    parts: list[Inputs] = [
        network.embed(ready({name: part[start : start + size] for name, part in inputs.items()}, wanted))  # type: ignore[operator]
        for start in range(0, n, size)
    ]
    return {name: torch.cat([part[name].cpu() for part in parts]) for name in parts[0]}


def averaged(outputs: Sequence[Tensor]) -> Tensor:
    """The mean of values, or the logarithm of the mean probabilities; a single output is not changed."""
    if len(outputs) == 1:
        return outputs[0]
    stacked = torch.stack(list(outputs))
    if stacked.shape[2] == 1:
        return stacked.mean(dim=0)
    return stacked.log_softmax(dim=2).logsumexp(dim=0) - math.log(len(outputs))


def placement(device: str, pictures: bool) -> Placement:
    """Where and how a trained network computes."""
    return Placement(device, channels_last=pictures)


def is_frozen_before_head(network: nn.Module, recipe: Recipe) -> bool:
    """Whether a network's `embed` gives the same for a row during the whole training, so that it is computed once: its
    head alone has anything to learn, or every stage trains the head alone."""
    return hasattr(network, "embed") and learns_head_alone(network, recipe)


def learns_head_alone(network: nn.Module, recipe: Recipe) -> bool:
    """Whether nothing before the network's head has anything to learn, or every stage trains the head alone."""
    learns = any(not name.startswith("head.") for name, _ in network.named_parameters())
    return not learns or all(stage.trainable == "head" for stage in recipe.stages)


def rows_at_once(inputs: Inputs, device: str, network: nn.Module | None = None) -> int:
    """Rows in a batch that suits the device, at least `SMALLEST` unless rows are very large; a network that enlarges
    pictures says their size in `cells_per_row`."""
    cells = sum(math.prod(part[:1].shape) for part in inputs.values())
    cells = max(cells, getattr(network, "cells_per_row", 0))
    smallest = max(1, min(SMALLEST, MOST_CELLS // max(cells, 1)))
    return max(smallest, min((CPU_CELLS if device == "cpu" else GPU_CELLS) // max(cells, 1), LARGEST))

"""The memory of a training step, measured on two rows before the first one: what a step keeps for its backward pass."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from rarebird.core.memory import require_memory
from rarebird.training import distributed
from rarebird.training.loop import Training
from rarebird.training.step_plan import StepPlan

# Rows of the measured step: batch normalization needs two.
ROWS = 2
# The backward pass takes more than what is kept for it: gradients of the features.
BACKWARD = 1.5


def check_memory(training: Training, network: str) -> None:
    """Check that a training's steps fit into the free memory; one step on two rows is taken for it.

    Args:
        training: It is used up: its network and its random streams change.
        network: The network's name, for the message.

    Raises:
        DataError: They do not fit.
    """
    rows = min(ROWS * distributed.count(), training.batch_size)
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        replace(training, batch_size=rows, validation=None, history=[]).run(StepPlan(1))
    # Of several ranks, each computes its share of both batches.
    needed = BACKWARD * sum(kept.values()) / rows * training.batch_size
    require_memory(
        needed,
        f"A training step of {network} on {training.batch_size} rows",
        "give a smaller batch_size, or smaller rows (for pictures, image_size)",
    )

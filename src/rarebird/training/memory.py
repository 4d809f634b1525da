"""The memory of a training step, measured on two rows before the first one: what a step keeps for its backward pass;
and what a recipe does to need less."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from rarebird.core.checks import DataError
from rarebird.core.memory import require_memory
from rarebird.recipe.recipe import Recipe
from rarebird.training import distributed
from rarebird.training.batch_step import FEWEST_ROWS
from rarebird.training.loop import Training
from rarebird.training.recomputation import require_blocks
from rarebird.training.sharding import check_sharded
from rarebird.training.stage import merged
from rarebird.training.step_plan import StepPlan

# Rows of the measured step: batch normalization needs two.
ROWS = 2
# The backward pass takes more than what is kept for it: gradients of the features.
BACKWARD = 1.5
# Cells of a batch above which the memory of a step is measured before the first one.
LARGE_CELLS = 2**21


def is_large(training: Training) -> bool:
    """Whether a batch has so many cells, as the network sees them, that its features may not fit into the memory."""
    inputs = training.rows.inputs
    cells = sum(math.prod(part[:1].shape) for part in inputs.values())
    if "pixels" in inputs:  # and not what a frozen body made of them
        cells = max(cells, getattr(training.network, "cells_per_row", 0))
    return training.placement.device == "cpu" and cells * training.batch_size > LARGE_CELLS


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
    needed = BACKWARD * sum(kept.values()) / rows * training.batch_size / training.parts
    require_memory(
        needed,
        f"A training step of {network} on {training.batch_size} rows",
        "give a smaller batch_size, or smaller rows (for pictures, image_size or network.size), or accumulation=4",
    )


def check_savings(training: Training, recipe: Recipe) -> None:
    """Check that a training can save memory as its recipe says: batches in parts, and blocks that are computed twice.

    Raises:
        DataError: A part would have too few rows, a stage compares all rows of a batch, the network has no blocks, or
            a method needs whole weights.
    """
    check_sharded(recipe)
    rows = training.batch_size // distributed.count()
    if recipe.accumulation > 1 and rows // recipe.accumulation < FEWEST_ROWS:
        raise DataError(
            f"accumulation={recipe.accumulation} leaves fewer than {FEWEST_ROWS} rows for a part of a batch, which has "
            f"{rows} rows on each device; give a smaller accumulation or a larger batch_size."
        )
    for slots in (merged(recipe, stage) for stage in recipe.stages if recipe.accumulation > 1):
        methods = [*slots["augmentation"], slots["loss"]]
        comparing = [one.name for one in methods if getattr(one, "on_features", not getattr(one, "per_row", True))]
        if comparing:
            raise DataError(
                f"{comparing[0]} compares all rows of a batch, which cannot be computed in parts; leave out "
                "accumulation, or save memory by activation_checkpointing=true."
            )
    if recipe.activation_checkpointing and any(stage.quantization_aware for stage in recipe.stages):
        raise DataError(
            "A quantization-aware stage rounds each layer once, but activation_checkpointing computes blocks twice; "
            "leave out one of the two."
        )
    if recipe.activation_checkpointing:
        require_blocks(training.network, recipe.network.name)

"""Trains a network further that was trained before: fewer steps, at a lower rate, with the recipe's own methods."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from rarebird.core.compute import Compute
from rarebird.data.dataset import Dataset
from rarebird.data.prepare import Prepared
from rarebird.recipe.recipe import Recipe
from rarebird.slots.hooks import Hook, TrainState
from rarebird.training.device import Placement
from rarebird.training.initial_network import InitialNetwork
from rarebird.training.loop import Training
from rarebird.training.network_trainer import NetworkTrainer
from rarebird.training.trainer import Trained, TrainingPlan
from rarebird.training.training_rows import learned_rows, prepared_rows

# Of the recipe's learning rate and of its steps: what is to be mended is small.
RATE, STEPS_SHARE = 0.3, 0.3


def fine_tuning_recipe(recipe: Recipe, steps: int | None = None, balanced: bool = False) -> Recipe:
    """The recipe of a fine-tuning: its last stage that trains all layers, or else one that does, and a lower rate.

    A stage that trains the head alone could not mend the layers from which something was removed, and batch statistics
    that are kept would be those of the network before.

    Args:
        recipe: That of the first training.
        steps: Optimizer steps; None: a share of the recipe's.
        balanced: Each class is drawn equally often, unless the recipe draws in a way of its own.
    """
    sampling = "class_balanced" if balanced and recipe.batch_sampling.name == "shuffled" else recipe.batch_sampling
    optimizer = recipe.optimizer.model_copy(update={"learning_rate": RATE * recipe.optimizer.learning_rate})
    chosen = steps or max(1, round(STEPS_SHARE * (recipe.steps or 100)))
    whole = [stage for stage in recipe.stages if stage.trainable == "all"][-1:]
    return on_one_cpu(recipe).updated(
        optimizer=optimizer,
        steps=chosen,
        relaid=(),
        stages=[stage.model_copy(update={"frozen_statistics": False}) for stage in whole] or "full",
        batch_sampling=sampling,
        transfer=None,
        external=None,
    )


def on_one_cpu(recipe: Recipe) -> Recipe:
    """The recipe without what one CPU cannot do: weights that are divided among devices, and float16."""
    precision = "float32" if recipe.precision == "float16" else recipe.precision
    return recipe.updated(sharded=False, precision=precision)


def fine_tuned(
    recipe: Recipe,
    network: nn.Module,
    prepared: Prepared,
    rows: Dataset,
    fold: int = 0,
    *,
    compute: Compute | None = None,
    keep_zeros: bool = False,
) -> Trained:
    """Train a network further.

    Args:
        recipe: From `fine_tuning_recipe`; its steps are all taken, unless the deadline comes before.
        network: It is not changed.
        prepared: Its preparation.
        rows: The rows that it learned from.
        fold: The number of the part; it names the random streams.
        compute: Device, deadline and progress; None: the CPU, without a limit.
        keep_zeros: Weights that are zero stay zero.
    """
    compute = compute or Compute()
    trainer = _FineTuning(recipe, network, prepared, rows, fold, compute.device)
    trainer.keeps_zeros = keep_zeros
    planned = trainer.plan(compute.deadline, 1)
    plan = TrainingPlan(planned, compute.deadline, max_steps=recipe.steps)
    return trainer.run(plan, lambda done: compute.progress(done, f"fine-tuning network {fold + 1}"))


class _FineTuning(NetworkTrainer):
    """A training that begins with a given network and keeps its preparation."""

    def __init__(
        self, recipe: Recipe, network: nn.Module, prepared: Prepared, rows: Dataset, fold: int, device: str
    ) -> None:
        super().__init__(recipe, rows, rows.take(np.zeros(0, dtype=np.int64)), fold, device)
        self.keeps_zeros = False
        if self.prepared != prepared:  # it was learned from other rows
            self.prepared = prepared
            learned, *_ = learned_rows(recipe, self.joined, fold, Compute(device))
            self.rows = prepared_rows(prepared, learned)
            self.statistics = replace(self.statistics, spec=prepared.spec)
        self._initial = _GivenNetwork(recipe, prepared, self.rows.inputs, fold)
        self._initial.network = network

    def training(self, where: Placement) -> Training:
        """A new training of a copy of the network."""
        training = super().training(where)
        if self.keeps_zeros:
            training.hooks = [*training.hooks, KeepZeros(training.network)]
        return training


class _GivenNetwork(InitialNetwork):
    """A trained network in place of a newly drawn one."""

    network: nn.Module

    def build(self) -> nn.Module:
        """A copy on the CPU."""
        return deepcopy(self.network).cpu()


class KeepZeros(Hook):
    """Puts weights that are zero at the start back to zero after each step."""

    def __init__(self, network: nn.Module) -> None:
        weights = [one for one in network.parameters() if one.ndim > 1]
        self._kept = [(one, (one != 0).to(one.dtype)) for one in weights if bool((one == 0).any())]

    @torch.no_grad()
    def after_step(self, state: TrainState) -> None:
        for weights, mask in self._kept:
            weights.mul_(mask)

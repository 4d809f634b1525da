"""Builds a recipe's network with its initial weights: newly drawn, or those that the recipe's `transfer` gives or
learns."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from rarebird.core import rng
from rarebird.data.dataset import Unlabeled
from rarebird.data.prepare import Prepared
from rarebird.recipe.recipe import Recipe
from rarebird.slots.protocols import Inputs
from rarebird.slots.starting_weights import StartingWeights, StartRows
from rarebird.training.device import Placement
from rarebird.training.pretraining import Pretraining, PretrainingRows, learns
from rarebird.training.trainer import TrainingPlan


class InitialNetwork:
    """The network of one part; each `build` gives it anew, with the same weights.

    A transfer that learns weights (`training/pretraining.py`) is planned and then run by the trainer; until then the
    network has newly drawn weights, with which its speed is measured.

    Args:
        recipe: Its network, transfer and seed.
        prepared: What was learned from the part's rows.
        inputs: The part's training rows.
        fold: The number of the part; it names the random stream.
        unlabeled: Rows without labels, from which a transfer may learn.

    Attributes:
        started: What a transfer said of its weights; None without a transfer, and before the first `build`.
    """

    def __init__(
        self, recipe: Recipe, prepared: Prepared, inputs: Inputs, fold: int, unlabeled: Unlabeled | None = None
    ) -> None:
        self._recipe, self._prepared = recipe, prepared
        self._fold = 0 if recipe.same_start else fold
        self._state: dict[str, Tensor] | None = None
        pool = None if unlabeled is None else unlabeled.rows
        rows = PretrainingRows(prepared, inputs, pool, fold)
        self._pretraining = Pretraining(rows) if learns(recipe) else None
        self.started: StartingWeights | None = None

    def build(self) -> nn.Module:
        """The network on the CPU.

        Raises:
            DataError: The transfer's weights cannot be read, or are those of another network.
        """
        built: Any = self._recipe.network
        torch.manual_seed(rng.torch_seed(self._recipe.seed, "network", self._fold))
        network: nn.Module = built.build(self._prepared.spec)
        if self._state is not None:
            network.load_state_dict(self._state)
        elif self._recipe.transfer is not None and self._pretraining is None:
            self.started = self._start(network)
            self._keep(network)
        return network

    def planned(self, recipe: Recipe, where: Placement, deadline: float | None, trainings: int) -> Recipe:
        """The recipe with what its transfer records, such as the fingerprint of a file or the steps of a pretraining;
        arguments as for `Trainer.plan`."""
        transfer: Any = recipe.transfer
        if transfer is None:
            return recipe
        if self._pretraining is not None:
            steps = self._pretraining.plan(recipe, self.build(), where, deadline, trainings)
            transfer = transfer.model_copy(update={"steps": steps})
        return recipe.updated(transfer=transfer.recorded(recipe.network))

    def measured_seconds(self, recipe: Recipe, where: Placement, trainings: int) -> float:
        """Measured seconds of the pretrainings that the recipe asks for, per training; 0 if it has none."""
        one = self._pretraining
        if one is None:
            return 0.0
        return one.measure(recipe, self.build(), where) / (trainings if one.rows.is_shared else 1)

    def seconds(self, trainings: int) -> float:
        """Seconds that the planned pretrainings of all trainings take."""
        one = self._pretraining
        return 0.0 if one is None else one.seconds * (1 if one.rows.is_shared else trainings)

    @property
    def shared_seconds(self) -> float:
        """Seconds of a pretraining that serves all trainings."""
        one = self._pretraining
        return one.seconds if one is not None and one.rows.is_shared else 0.0

    def pretrain(self, plan: TrainingPlan, where: Placement) -> bool:
        """Learn the initial weights, if the transfer does so; from then on the network is built with them.

        Returns:
            Whether the weights are others than before.
        """
        if self._pretraining is None or self._state is not None:
            return False
        network = self.build()
        self.started = self._pretraining.run(plan.recipe, network, where, plan.deadline, plan.on_pretraining)
        self._keep(network)
        return True

    def notes(self) -> list[str]:
        """What the transfer says of the weights, as sentences for the user."""
        return [] if self.started is None else self.started.sentences()

    def _keep(self, network: nn.Module) -> None:
        self._state = {name: part.clone() for name, part in network.state_dict().items()}

    def _start(self, network: nn.Module) -> StartingWeights:
        transfer: Any = self._recipe.transfer
        prepared, table = self._prepared, self._prepared.table
        rows = StartRows(
            spec=prepared.spec,
            classes=prepared.classes,
            columns=() if table is None else tuple(column.name for column in table.columns),
        )
        started: StartingWeights = transfer.start(network, rows)
        return started

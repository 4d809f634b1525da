"""Builds a recipe's network with its initial weights: newly drawn, or those that the recipe's `transfer` gives."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from rarebird.core import rng
from rarebird.data.prepare import Prepared
from rarebird.recipe.recipe import Recipe
from rarebird.slots.protocols import Inputs
from rarebird.slots.starting_weights import StartingWeights, StartRows


class InitialNetwork:
    """The network of one part; each `build` gives it anew, with the same weights.

    Args:
        recipe: Its network, transfer and seed.
        prepared: What was learned from the part's rows.
        inputs: The part's training rows.
        fold: The number of the part; it names the random stream.

    Attributes:
        started: What a transfer said of its weights; None without a transfer, and before the first `build`.
    """

    def __init__(self, recipe: Recipe, prepared: Prepared, inputs: Inputs, fold: int) -> None:
        self._recipe, self._prepared, self._inputs, self._fold = recipe, prepared, inputs, fold
        self._state: dict[str, Tensor] | None = None
        self.started: StartingWeights | None = None

    def build(self) -> nn.Module:
        """The network on the CPU.

        Raises:
            DataError: The transfer's weights cannot be read, or are those of another network.
        """
        built: Any = self._recipe.network
        torch.manual_seed(rng.torch_seed(self._recipe.seed, "network", self._fold))
        network: nn.Module = built.build(self._prepared.spec)
        if self._recipe.transfer is None:
            return network
        if self._state is None:
            self.started = self._start(network)
            self._state = {name: part.clone() for name, part in network.state_dict().items()}
        else:
            network.load_state_dict(self._state)
        return network

    def notes(self) -> list[str]:
        """What the transfer says of the weights, as sentences for the user."""
        return [] if self.started is None else self.started.sentences()

    def recorded(self) -> Recipe:
        """The recipe with what its transfer records, such as the fingerprint of a file."""
        transfer: Any = self._recipe.transfer
        if transfer is None:
            return self._recipe
        return self._recipe.updated(transfer=transfer.recorded(self._recipe.network))

    def _start(self, network: nn.Module) -> StartingWeights:
        transfer: Any = self._recipe.transfer
        prepared, table = self._prepared, self._prepared.table
        rows = StartRows(
            inputs=self._inputs,
            spec=prepared.spec,
            classes=prepared.classes,
            columns=() if table is None else tuple(column.name for column in table.columns),
            seed=rng.torch_seed(self._recipe.seed, "transfer", self._fold),
        )
        started: StartingWeights = transfer.start(network, rows)
        return started

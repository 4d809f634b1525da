"""What a network or a fitted reference may tell of itself, so that its predictions can be explained exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

import numpy as np

from rarebird.slots.protocols import Inputs

if TYPE_CHECKING:
    from torch import Tensor


@runtime_checkable
class NamesItsMap(Protocol):
    """A convolutional network that names its last map.

    Attributes:
        feature_map: The name of the module whose output is the map, ``(batch, maps, height, width)``; empty where it
            has no such map.
    """

    @property
    def feature_map(self) -> str: ...


@runtime_checkable
class GivesAttention(Protocol):
    """A network of tokens that tells where it looks."""

    def attention(self, x: Inputs) -> Tensor:
        """``(batch, tokens)`` share of each token in what the head sees, at least 0, with sum 1: over all blocks
        (attention rollout) and the pooling."""
        ...


@runtime_checkable
class ExactContributions(Protocol):
    """A fitted module of trees whose raw outputs are sums of contributions of the columns."""

    def contributions(self, x: Inputs) -> np.ndarray:
        """``(n, n_outputs, n_numbers + n_categories + 1)``: the share of each prepared column in each raw output, and
        last the output without any column; they sum to the raw output."""
        ...


@runtime_checkable
class EmbedsCategories(Protocol):
    """A module that turns category codes ``(batch, columns)`` into one float tensor per column, between whose values a
    path of explanations can lead."""

    embeds_categories: ClassVar[bool]

    def forward(self, categories: Tensor) -> list[Tensor]: ...

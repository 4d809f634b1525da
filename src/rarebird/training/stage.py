"""A stage of a training: what it trains with, which part of the network it trains, and what it does to the head in the
end."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rarebird.core.checks import DataError
from rarebird.slots.protocols import BatchSampling, Inputs, Optimizer, Schedule

Augment = Callable[[Inputs, Tensor, Tensor, torch.Generator], tuple[Inputs, Tensor, Tensor]]
AugmentFeatures = Callable[[Tensor, Tensor, Tensor, torch.Generator], tuple[Tensor, Tensor, Tensor]]


@dataclass(frozen=True)
class StageParts:
    """What one stage trains with.

    Attributes:
        per_row: Whether the loss gives one number per row; else the weighted mean over pairs of rows, and takes the
            weights itself.
        augment_features: What happens between the network's features and its head.
        class_weight: ``(n_classes,)`` by which rows count, whatever the loss.
        trainable: ``all``, ``head``, or which share of the layers, counted from the head.
        until: Progress of the whole course at which the stage ends.
        restarts: Whether the stage begins with a fresh optimizer and its own schedule from 0 to 1.
        reset_head: Whether the last layer starts anew.
        normalize_head: Power of the norm by which each class's weights in the head are divided when the training is
            over.
    """

    loss: nn.Module
    sampling: BatchSampling
    optimizer: Optimizer
    schedule: Schedule
    per_row: bool = True
    augment: Augment | None = None
    augment_features: AugmentFeatures | None = None
    class_weight: Tensor | None = None
    trainable: str | float = "all"
    until: float = 1.0
    restarts: bool = False
    reset_head: bool = False
    normalize_head: float | None = None


def trainable_parameters(network: nn.Module, trainable: str | float) -> set[int]:
    """Ids of the parameters that a stage trains: ``all``, those of ``head``, or those of a share of the layers counted
    from the head."""
    head = list(network.head.parameters())  # type: ignore[union-attr]
    if trainable == "all":
        return {id(parameter) for parameter in network.parameters()}
    if trainable == "head":
        return {id(parameter) for parameter in head}
    layers = [own for module in network.modules() if (own := list(module.parameters(recurse=False)))]
    kept = layers[len(layers) - math.ceil(float(trainable) * len(layers)) :]
    return {id(parameter) for parameter in [*head, *(parameter for layer in kept for parameter in layer)]}


@torch.no_grad()
def normalize_head(network: nn.Module, tau: float) -> None:
    """Divide each class's weights in the head by their norm to the power of `tau`, and drop its bias.

    Source: Kang et al., "Decoupling representation and classifier for long-tailed recognition", ICLR 2020: rare classes
    have short weights.

    Raises:
        DataError: The head is no linear layer.
    """
    head = network.head
    if not isinstance(head, nn.Linear):
        raise DataError(
            f"normalize_head needs a network whose head is linear, but that of {type(network).__name__} is not."
        )
    head.weight.div_(head.weight.norm(dim=1, keepdim=True).clamp(min=1e-12) ** tau)
    if head.bias is not None:
        head.bias.zero_()

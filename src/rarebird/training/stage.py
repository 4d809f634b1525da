"""A stage of a training: its methods, the part of the network that it trains, and what it does to the head."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rarebird.core.checks import DataError
from rarebird.methods.augmentation._pipeline import Pipeline
from rarebird.recipe.recipe import Recipe
from rarebird.recipe.stage_plans import OVERRIDABLE, Stage
from rarebird.slots import methods
from rarebird.slots.protocols import (
    BatchSampling,
    FeatureAugmentation,
    Inputs,
    Optimizer,
    Schedule,
    TargetStatistics,
    TrainStatistics,
)
from rarebird.training import adapters

# Inputs, targets, weights and a generator -> the augmented batch; with a slice as fifth, that part of it alone.
Augment = Callable[..., tuple[Inputs, Tensor, Tensor]]
AugmentFeatures = Callable[[Tensor, Tensor, Tensor, torch.Generator], tuple[Tensor, Tensor, Tensor]]


@dataclass(frozen=True)
class StageParts:
    """The built methods and the settings of one stage.

    Attributes:
        per_row: Whether the loss returns one number per row. If not, it is given the weights and returns the weighted
            mean over pairs of rows.
        augment: Augmentation of a batch.
        augment_features: Augmentation of the network's features, before they enter its head.
        class_weight: ``(n_classes,)`` factors of the rows' weights, for any loss.
        trainable: ``all``, ``head``, ``adapters``, or the share of the layers, counted from the head, that is trained.
        until: Progress of the whole training at which the stage ends.
        restarts: Whether the stage begins with a new optimizer and its own schedule from 0 to 1.
        reset_head: Whether the last layer begins with newly drawn weights.
        layer_decay: Each layer's rate is that of the layer behind it times this number.
        frozen_statistics: Whether batch normalization keeps its statistics.
        quantization_aware: Whether weights and activations are rounded as in an int8 file.
        normalize_head: If the training ends in the stage, each class's weights in the head are divided by their norm to
            this power at the end; None: they are not.
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
    layer_decay: float = 1.0
    frozen_statistics: bool = False
    normalize_head: float | None = None
    quantization_aware: bool = False

    def loss_per_row(self, logits: Tensor, y: Tensor) -> Tensor:
        """``(batch,)`` losses; with members ``(batch, members, n_outputs)``, the mean of the members' losses."""
        if logits.ndim == 2:
            per_row: Tensor = self.loss(logits, y)
            return per_row
        members = logits.shape[1]
        each: Tensor = self.loss(logits.flatten(0, 1), y.repeat_interleave(members, dim=0))
        return each.view(-1, members).mean(dim=1)

    def loss_of_pairs(self, logits: Tensor, y: Tensor, weight: Tensor) -> Tensor:
        """The loss of pairs of rows, ``()``; with members, the mean of the members' losses."""
        if logits.ndim == 2:
            mean: Tensor = self.loss(logits, y, weight)
            return mean
        return torch.stack([self.loss(member, y, weight) for member in logits.unbind(dim=1)]).mean()


def stages(recipe: Recipe, statistics: TrainStatistics, targets: TargetStatistics, device: str) -> list[StageParts]:
    """All stages of the recipe with built methods; the last one ends at progress 1.

    Raises:
        DataError: The loss does not serve the task, or there are class weights without classes.
    """
    shares = np.cumsum([stage.share for stage in recipe.stages])
    parts: list[StageParts] = []
    for stage, before, share in zip(recipe.stages, [None, *recipe.stages], shares, strict=False):
        slots = merged(recipe, stage)
        _check_loss(slots["loss"], statistics.spec.task, recipe.kind)
        weights = None if stage.class_weight is None else class_weights(stage.class_weight, targets)
        on_features = [method for method in slots["augmentation"] if getattr(method, "on_features", False)]
        on_rows = [method for method in slots["augmentation"] if method not in on_features]
        parts.append(
            StageParts(
                loss=slots["loss"].build(targets).to(device),
                per_row=slots["loss"].per_row,
                sampling=slots["batch_sampling"],
                optimizer=slots["optimizer"],
                schedule=slots["schedule"],
                augment=Pipeline(on_rows, statistics) if on_rows else None,
                augment_features=_chain([method.bind(statistics) for method in on_features]) if on_features else None,
                class_weight=None if weights is None else torch.as_tensor(weights, dtype=torch.float32, device=device),
                trainable=stage.trainable,
                until=float(share / shares[-1]),
                restarts=before is not None and _restarts(recipe, stage, before),
                reset_head=stage.reset_head,
                layer_decay=stage.layer_decay,
                frozen_statistics=stage.frozen_statistics,
                normalize_head=stage.normalize_head,
                quantization_aware=stage.quantization_aware,
            )
        )
    return parts


def _restarts(recipe: Recipe, stage: Stage, before: Stage) -> bool:
    """Whether a stage begins with a new optimizer: it or the stage before trains a part of the network only, it draws
    the head anew, names an optimizer or a schedule, or no longer has those of the stage before."""
    now, then = merged(recipe, stage), merged(recipe, before)
    return (
        {stage.trainable, before.trainable} != {"all"}
        or stage.layer_decay != before.layer_decay
        or stage.reset_head
        or any(slot in stage.overrides or now[slot] != then[slot] for slot in ("optimizer", "schedule"))
    )


def merged(recipe: Recipe, stage: Stage) -> dict[str, Any]:
    """The recipe's slots with the overrides of a stage."""
    slots: dict[str, Any] = {slot: getattr(recipe, slot) for slot in OVERRIDABLE}
    for slot, settings in stage.overrides.items():
        listed = settings if isinstance(settings, list) else [settings]
        built = tuple(methods.build(slot, one) for one in listed)
        slots[slot] = built if slot == "augmentation" else built[0]
    return slots


def class_weights(scheme: str, targets: TargetStatistics) -> np.ndarray:
    """``(n_classes,)`` weights by a stage's scheme, computed as in the losses that have class weights; their mean over
    the training rows is 1.

    Raises:
        DataError: There are no classes.
    """
    if targets.class_counts is None:
        raise DataError(f"A stage's class_weight={scheme!r} is for classes, but the target holds numbers.")
    settings = {"name": "class_balanced"} if scheme == "effective_number" else {"name": "weighted", "scheme": scheme}
    loss: Any = methods.build("loss", settings)
    weights: np.ndarray = loss.prior_factor(targets)
    return weights


def _check_loss(loss: Any, task: str, kind: str) -> None:
    if task not in loss.tasks:
        others: list[tuple[str, Any]] = [(name, methods.load("loss", name)) for name in methods.names("loss", kind)]
        serving = [name for name, other in others if task in other.tasks]
        raise DataError(f"The loss {loss.name!r} does not serve {task}; use one of {', '.join(serving)}.")


def _chain(steps: Sequence[FeatureAugmentation]) -> AugmentFeatures:
    """Several augmentations of features as one, applied in order."""

    def augment_features(
        features: Tensor, y: Tensor, weight: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        for step in steps:
            features, y, weight = step(features, y, weight, generator)
        return features, y, weight

    return augment_features


def trainable_parameters(network: nn.Module, trainable: str | float) -> set[int]:
    """Ids of the parameters that a stage trains: of ``all`` layers, of the ``head``, of the ``adapters`` and the head,
    or of a share of the layers, counted from the head."""
    head = list(network.head.parameters())  # type: ignore[union-attr]
    if trainable == "all":
        return {id(parameter) for parameter in network.parameters()}
    if trainable == "head":
        return {id(parameter) for parameter in head}
    if trainable == "adapters":
        return {id(parameter) for parameter in [*head, *adapters.parameters(network)]}
    layers = [found for module in network.modules() if (found := list(module.parameters(recurse=False)))]
    last_layers = layers[len(layers) - math.ceil(float(trainable) * len(layers)) :]
    return {id(parameter) for parameter in [*head, *(parameter for layer in last_layers for parameter in layer)]}


@torch.no_grad()
def normalize_head(network: nn.Module, tau: float) -> None:
    """Divide each class's weights in the head by their norm to the power of `tau`, and set its bias to 0.

    Source: Kang et al., "Decoupling representation and classifier for long-tailed recognition", ICLR 2020: rare classes
    have short weights.

    Raises:
        DataError: The head is not a linear layer.
    """
    head = network.head
    if not isinstance(head, nn.Linear):
        raise DataError(
            f"normalize_head needs a network whose head is linear, but that of {type(network).__name__} is not."
        )
    head.weight.div_(head.weight.norm(dim=1, keepdim=True).clamp(min=1e-12) ** tau)
    if head.bias is not None:
        head.bias.zero_()

"""What a training changes in its optimizer from step to step: the learning rate, and which weights are in use."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from rarebird.training.stage import StageParts


def use_weights(optimizer: torch.optim.Optimizer | None, mode: str) -> None:
    """Put the weights for ``train`` or ``eval`` into the network, where the optimizer keeps different ones for each."""
    change = getattr(optimizer, mode, None)
    if change is not None:
        change()


def set_rate(
    stage: StageParts, optimizer: torch.optim.Optimizer, progress: float, entries: Sequence[dict[str, float]]
) -> float:
    """Put the learning rate of the schedule's `progress` into the optimizer, given the evaluations since its start."""
    rate = stage.optimizer.learning_rate * stage.schedule(progress, [_schedule_loss(entry) for entry in entries])
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("rate_factor", 1.0)
    return rate


def _schedule_loss(entry: dict[str, float]) -> float:
    """The loss that a schedule reads: that of the rows not learned from, where they are scored."""
    return entry.get("val_loss", entry["train_loss"])

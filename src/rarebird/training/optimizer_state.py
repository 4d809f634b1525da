"""What a training does to its optimizer from step to step, and what a checkpoint keeps of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from rarebird.training.sharding import divided_like, local
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


def saved(optimizer: Any) -> dict[str, Any]:
    """All that an optimizer remembers, for a checkpoint: of each parameter, of each group, its own numbers, and the
    same of optimizers within it."""
    states = [optimizer.state.get(one, {}) for group in _groups(optimizer) for one in group["params"]]
    return {
        "groups": [{name: value for name, value in group.items() if name != "params"} for group in _groups(optimizer)],
        "state": [{name: local(value) for name, value in state.items()} for state in states],
        "divided": [[name for name, value in state.items() if local(value) is not value] for state in states],
        "numbers": {name: value for name, value in vars(optimizer).items() if type(value) in (bool, int, float)},
        "inner": [saved(one) for one in _within(optimizer)],
    }


@torch.no_grad()
def restore(optimizer: Any, kept: dict[str, Any]) -> None:
    """Give a new optimizer of the same parameters what `saved` kept."""
    for group, values in zip(_groups(optimizer), kept["groups"], strict=True):
        # JSON has no tuples.
        group.update({name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})
    parameters = [one for group in _groups(optimizer) for one in group["params"]]
    for parameter, values, divided in zip(parameters, kept["state"], kept["divided"], strict=True):
        optimizer.state[parameter] |= {
            name: divided_like(value, parameter) if name in divided else _like(value, parameter)
            for name, value in values.items()
        }
        if not values:
            del optimizer.state[parameter]
    vars(optimizer).update(kept["numbers"])
    for one, values in zip(_within(optimizer), kept["inner"], strict=True):
        restore(one, values)


def _groups(optimizer: Any) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = optimizer.param_groups
    return groups


def _within(optimizer: Any) -> list[Any]:
    """The optimizers that an optimizer wraps."""
    inner = getattr(optimizer, "inner", [])
    return inner if isinstance(inner, list) else [inner]


def _like(value: Any, parameter: Tensor) -> Any:
    """A kept value; a tensor of the parameter's shape in its place and memory layout."""
    if not isinstance(value, Tensor) or local(parameter) is not parameter:
        return value
    if value.shape != parameter.shape:
        return value
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)

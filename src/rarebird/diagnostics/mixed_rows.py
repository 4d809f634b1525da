"""Which other rows of its batch an augmented row was made from, for any augmentation that mixes rows."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rarebird.methods.augmentation._pipeline import Pipeline
from rarebird.slots.protocols import Inputs

Batch = tuple[Inputs, Tensor, Tensor]


def sources(pipeline: Pipeline, batch: Batch, generator: Callable[[], torch.Generator]) -> list[list[int]]:
    """The other rows that have a part in each augmented row.

    Every row is changed in turn, and the batch is augmented with the same draws: the rows that come out changed were
    made from it.

    Args:
        pipeline: The augmentation.
        batch: Inputs, targets ``(n, n_outputs)`` and weights ``(n,)``.
        generator: A new generator with the same seed at each call.

    Returns:
        Per row, the positions of the others, in order.
    """
    x, y, weight = batch
    plain = pipeline(x, y, weight, generator())[0]
    found: list[list[int]] = [[] for _ in range(len(y))]
    for row in range(len(y)):
        other = pipeline(_with_another(x, row), y, weight, generator())[0]
        for place in _differing(plain, other):
            if place != row:
                found[place].append(row)
    return found


def _with_another(x: Inputs, row: int) -> Inputs:
    """The batch with one row replaced by another in every value; its length and what is missing stay."""
    changed = {}
    for name, part in x.items():
        if name not in ("lengths", "missing"):
            part = part.clone()
            if name == "pixels":
                part[row] = (part[row] + 0.5) % 1 if part.is_floating_point() else part[row] ^ 128
            elif name == "categories":
                part[row] = torch.where(part[row] == 0, 1, 0)
            else:
                part[row] += 1
        changed[name] = part
    return changed


def _differing(first: Inputs, second: Inputs) -> list[int]:
    """The rows in which two batches differ."""
    differs = torch.zeros(len(next(iter(first.values()))), dtype=torch.bool)
    for name, part in first.items():
        differs |= (part != second[name]).flatten(1).any(dim=1) if part.ndim > 1 else part != second[name]
    return [int(row) for row in torch.nonzero(differs)[:, 0]]

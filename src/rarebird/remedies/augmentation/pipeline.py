"""The augmentations of a recipe in their order, with neighboring affine ones composed into one resampling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from rarebird.remedies.augmentation.geometry import Composed, Geometric, Mirror
from rarebird.remedies.augmentation.rows import unchanged

if TYPE_CHECKING:
    from rarebird.methods import Method
    from rarebird.protocols import Augmentation, BoundAugmentation, Inputs, TrainStatistics


class Pipeline:
    """Augments training batches; evaluation never calls it.

    Args:
        methods: Values of the slot `augmentation`, applied in this order.
        statistics: What they may know of the training rows.
    """

    def __init__(self, methods: Sequence[Method], statistics: TrainStatistics) -> None:
        bound = [cast("Augmentation", method).bind(statistics) for method in methods]
        self.steps = composed([step for step in bound if step is not unchanged])

    @torch.no_grad()
    def __call__(self, x: Inputs, y: Tensor, weight: Tensor, generator: torch.Generator) -> tuple[Inputs, Tensor, Tensor]:
        """An augmented batch; the one given stays as it was.

        Args:
            x: Inputs as in `rarebird.protocols`, pixels in floating point.
            y: ``(batch, n_outputs)`` soft targets.
            weight: ``(batch,)`` sample weights.
            generator: On the device of the tensors; the only source of randomness.
        """
        for step in self.steps:
            x, y, weight = step(x, y, weight, generator)
        return x, y, weight


def composed(steps: Sequence[BoundAugmentation]) -> list[BoundAugmentation]:
    """The same steps with every run of affine neighbors that agree on what lies beyond the edge joined into one."""
    joined: list[BoundAugmentation] = []
    run: list[Geometric] = []
    for step in steps:
        if isinstance(step, Geometric) and len({part.fill for part in [*run, step]} - {None}) <= 1:
            run.append(step)
            continue
        joined += _join(run)
        run = [step] if isinstance(step, Geometric) else []
        joined += [] if run else [step]
    return joined + _join(run)


def _join(run: list[Geometric]) -> list[BoundAugmentation]:
    # Flips among themselves need no interpolation, and are exact and faster one by one.
    if all(isinstance(part, Mirror) for part in run):
        return list(run)
    return [Composed(tuple(run))]

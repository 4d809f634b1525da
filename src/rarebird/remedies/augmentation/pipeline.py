"""The augmentations of a recipe in their order, with neighboring affine ones composed into one resampling."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from rarebird.remedies.augmentation.geometry import Composed, Geometric, Mirror
from rarebird.remedies.augmentation.rows import RowWise, unchanged

if TYPE_CHECKING:
    from rarebird.methods import Method
    from rarebird.protocols import Augmentation, BoundAugmentation, Inputs, TrainStatistics

TILE_BYTES = 2**23


class Pipeline:
    """Augments training batches; evaluation never calls it.

    Args:
        methods: Values of the slot `augmentation`, applied in this order.
        statistics: What they may know of the training rows.
    """

    def __init__(self, methods: Sequence[Method], statistics: TrainStatistics) -> None:
        bound = [cast("Augmentation", method).bind(statistics) for method in methods]
        steps = composed([step for step in bound if step is not unchanged])
        self.steps = tiled(steps) if statistics.spec.kind == "image" else steps

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


class Tiled:
    """Row-wise picture steps, run through for one part of the batch after the other.

    On a CPU a part of `TILE_BYTES` stays in cache and its memory is used again at every step; a whole batch of large pictures asks the
    system for fresh memory each time: a third faster at 224 pixels. A GPU takes it whole.
    """

    def __init__(self, steps: Sequence[RowWise]) -> None:
        self.steps = steps

    def __call__(self, x: Inputs, y: Tensor, weight: Tensor, generator: torch.Generator) -> tuple[Inputs, Tensor, Tensor]:
        pixels = x["pixels"]
        size = len(pixels) if pixels.device.type != "cpu" else max(1, TILE_BYTES // pixels[0].nbytes)
        parts = []
        for start in range(0, len(pixels), size):
            part: Inputs = {"pixels": pixels[start : start + size]}
            for step in self.steps:
                part = step(part, y, weight, generator)[0]
            parts.append(part["pixels"])
        return {**x, "pixels": parts[0] if len(parts) == 1 else torch.cat(parts)}, y, weight


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


def tiled(steps: Sequence[BoundAugmentation]) -> list[BoundAugmentation]:
    """The same steps with every run of row-wise ones put under one `Tiled`."""
    grouped: list[BoundAugmentation] = []
    for row_wise, run in groupby(steps, key=lambda step: isinstance(step, RowWise)):
        members = list(run)
        grouped += [Tiled(cast("list[RowWise]", members))] if row_wise else members
    return grouped


def _join(run: list[Geometric]) -> list[BoundAugmentation]:
    # Flips among themselves need no interpolation, and are exact and faster one by one.
    if all(isinstance(part, Mirror) for part in run):
        return list(run)
    return [Composed(tuple(run))]

"""The augmentations of a recipe in their order, with neighboring affine ones composed into one resampling."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor

from rarebird.methods.augmentation._geometry import Composed, Geometric, Mirror
from rarebird.methods.augmentation._pixels import floats
from rarebird.methods.augmentation._rows import Apply, Planned, RowWise, unchanged

if TYPE_CHECKING:
    from rarebird.slots.methods import Method
    from rarebird.slots.protocols import Augmentation, BoundAugmentation, Inputs, TrainStatistics

# For each thread; the fastest of 1/2 to 8 MiB: what a core's own cache holds.
TILE_BYTES = 2**20
# By this many times larger is a part where some of the steps have draws to make for it first.
UNPLANNED = 4
FLOAT_BYTES = 4


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
    def __call__(
        self, x: Inputs, y: Tensor, weight: Tensor, generator: torch.Generator
    ) -> tuple[Inputs, Tensor, Tensor]:
        """An augmented batch; the one given stays as it was.

        Args:
            x: Inputs as in `rarebird.slots.protocols`; pixels as bytes become floats in 0..1 on the way.
            y: ``(batch, n_outputs)`` soft targets.
            weight: ``(batch,)`` sample weights.
            generator: On the device of the tensors; the only source of randomness.
        """
        if "pixels" in x and not (self.steps and isinstance(self.steps[0], Tiled)):
            x = {**x, "pixels": floats(x["pixels"])}
        for step in self.steps:
            x, y, weight = step(x, y, weight, generator)
        return x, y, weight


class Tiled:
    """Row-wise picture steps, run through for one part of the batch after the other; bytes become floats part by part
    too.

    On a CPU a part of `TILE_BYTES` stays in cache and its memory is used again at every step; a whole batch of large
    pictures asks the system for fresh memory each time, which takes longer than to compute what goes into it. A GPU
    takes the batch whole.
    """

    def __init__(self, steps: Sequence[RowWise]) -> None:
        self.steps = steps

    def __call__(
        self, x: Inputs, y: Tensor, weight: Tensor, generator: torch.Generator
    ) -> tuple[Inputs, Tensor, Tensor]:
        pixels = x["pixels"]
        plans = [
            step.plan(pixels, generator) if isinstance(step, Planned) else on_the_way(step, generator)
            for step in self.steps
        ]
        most = TILE_BYTES if all(isinstance(step, Planned) for step in self.steps) else TILE_BYTES * UNPLANNED
        # As many for every thread, as `grid_sample` shares out whole pictures.
        size = max(1, most // (pixels[0].numel() * FLOAT_BYTES)) * torch.get_num_threads()
        if pixels.device.type != "cpu" or size >= len(pixels):
            return {**x, "pixels": _through(plans, pixels, slice(None))}, y, weight
        whole = fresh(pixels)
        for start in range(0, len(pixels), size):
            whole[start : start + size] = _through(plans, pixels, slice(start, start + size))
        return {**x, "pixels": whole}, y, weight


def _through(plans: Sequence[Apply], pixels: Tensor, which: slice) -> Tensor:
    part = floats(pixels[which])
    for apply in plans:
        part = apply(part, which)
    return part


def on_the_way(step: RowWise, generator: torch.Generator) -> Apply:
    """A step that draws for each part of a batch when its turn comes."""

    def apply(part: Tensor, which: slice) -> Tensor:
        none = part.new_empty(0)
        return step({"pixels": part}, none, none, generator)[0]["pixels"]

    return apply


def fresh(like: Tensor) -> Tensor:
    """Memory for `like` in floating point, not yet written to."""
    if like.dtype not in (torch.uint8, torch.float32):
        return torch.empty_like(like)
    # NumPy asks the system for huge pages; to get 40 MB page by page takes ten times as long as to write them.
    return torch.from_numpy(np.empty(like.shape, np.float32))


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

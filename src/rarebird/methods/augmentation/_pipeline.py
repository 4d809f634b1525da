"""The augmentations of a recipe in their order, with neighboring affine ones composed into one resampling."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor

from rarebird.methods.augmentation._geometry import Composed, Geometric, Mirror
from rarebird.methods.augmentation._rows import Apply, Planned, RowWise, unchanged
from rarebird.slots.pixels import floats

if TYPE_CHECKING:
    from rarebird.slots.methods import Method
    from rarebird.slots.protocols import Augmentation, BoundAugmentation, Inputs, TrainStatistics

# Size of a part for each thread, the fastest of 1/2 to 8 MiB: what fits into a core's own cache.
TILE_BYTES = 2**20
# Parts are larger by this factor where a step draws for each part by itself.
UNPLANNED = 4
FLOAT_BYTES = 4
ALL = slice(None)


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
        self, x: Inputs, y: Tensor, weight: Tensor, generator: torch.Generator, own: slice | None = None
    ) -> tuple[Inputs, Tensor, Tensor]:
        """An augmented batch; the given tensors do not change.

        Args:
            x: Inputs as in `rarebird.slots.protocols`; pixels that are bytes become floats in 0..1.
            y: ``(batch, n_outputs)`` soft targets.
            weight: ``(batch,)`` sample weights.
            generator: On the device of the tensors; the only source of randomness.
            own: The rows that are wanted, with the values that they have in the whole batch; None: all.
        """
        if "pixels" in x and not (self.steps and isinstance(self.steps[0], Tiled)):
            x = {**x, "pixels": floats(x["pixels"])}
        *before, last = self.steps or [unchanged]
        for step in before:
            x, y, weight = step(x, y, weight, generator)
        if own is None:
            return last(x, y, weight, generator)
        if isinstance(last, Tiled) and last.is_planned:
            # It draws for all rows, and changes those that are wanted.
            return last.changed(x, generator, own), y[own], weight[own]
        x, y, weight = last(x, y, weight, generator)
        return {name: part[own] for name, part in x.items()}, y[own], weight[own]


class Tiled:
    """Row-wise picture steps that are applied to one part of the batch after the other, from bytes to the last step.

    On a CPU a part of `TILE_BYTES` stays in the cache, and every step uses the same memory again. For a whole batch of
    large pictures each step would need new memory from the system, which takes longer than the computation. On a GPU
    the whole batch is one part.
    """

    def __init__(self, steps: Sequence[RowWise]) -> None:
        self.steps = steps

    def __call__(
        self, x: Inputs, y: Tensor, weight: Tensor, generator: torch.Generator
    ) -> tuple[Inputs, Tensor, Tensor]:
        return self.changed(x, generator), y, weight

    @property
    def is_planned(self) -> bool:
        """Whether all steps draw for the whole batch before they change a row."""
        return all(isinstance(step, Planned) for step in self.steps)

    def changed(self, x: Inputs, generator: torch.Generator, own: slice = ALL) -> Inputs:
        """The inputs after all steps; if they are planned, those of the rows `own` alone."""
        pixels = x["pixels"]
        plans = [
            step.plan(pixels, generator) if isinstance(step, Planned) else drawn_per_part(step, generator)
            for step in self.steps
        ]
        most = TILE_BYTES if self.is_planned else TILE_BYTES * UNPLANNED
        # The same number for every thread, as `grid_sample` gives each thread whole pictures.
        size = max(1, most // (pixels[0].numel() * FLOAT_BYTES)) * torch.get_num_threads()
        first, end, _ = own.indices(len(pixels))
        if pixels.device.type != "cpu" or size >= end - first:
            whole = _changed(plans, pixels, own)
        else:
            whole = empty_floats(pixels[own])
            for start in range(first, end, size):
                stop = min(start + size, end)
                whole[start - first : stop - first] = _changed(plans, pixels, slice(start, stop))
        return {name: part[own] for name, part in x.items()} | {"pixels": whole}


def _changed(plans: Sequence[Apply], pixels: Tensor, which: slice) -> Tensor:
    part = floats(pixels[which])
    for apply in plans:
        part = apply(part, which)
    return part


def drawn_per_part(step: RowWise, generator: torch.Generator) -> Apply:
    """The function of a step that draws for each part of a batch by itself."""

    def apply(part: Tensor, which: slice) -> Tensor:
        none = part.new_empty(0)
        return step({"pixels": part}, none, none, generator)[0]["pixels"]

    return apply


def empty_floats(like: Tensor) -> Tensor:
    """Uninitialized memory for `like` in floating point."""
    if like.dtype not in (torch.uint8, torch.float32):
        return torch.empty_like(like)
    # NumPy asks the system for huge pages; without them, allocating 40 MB takes ten times as long as writing it.
    return torch.from_numpy(np.empty(like.shape, np.float32))


def composed(steps: Sequence[BoundAugmentation]) -> list[BoundAugmentation]:
    """The same steps, with each run of affine neighbors of one `fill` joined into one step."""
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
    """The same steps, with each run of row-wise steps joined into one `Tiled`."""
    grouped: list[BoundAugmentation] = []
    for row_wise, run in groupby(steps, key=lambda step: isinstance(step, RowWise)):
        members = list(run)
        grouped += [Tiled(cast("list[RowWise]", members))] if row_wise else members
    return grouped


def _join(run: list[Geometric]) -> list[BoundAugmentation]:
    # Flips alone need no interpolation: one by one they are exact and faster.
    if all(isinstance(part, Mirror) for part in run):
        return list(run)
    return [Composed(tuple(run))]

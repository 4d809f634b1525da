"""Test-time augmentation: a few augmented views of every row, the same for all rows, whose predictions are averaged
with its own.

Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks", NeurIPS 2012 (ten
crops). Each view is one draw of the recipe's own augmentations, as far as they only show the row from elsewhere
(`test_time = True`): moved, turned, scaled, flipped, cropped, blurred, earlier or slower; noise, erasing and mixing are
left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from rarebird.core.checks import DataError
from rarebird.slots.protocols import BoundAugmentation, Inputs, TrainStatistics

if TYPE_CHECKING:
    from rarebird.data.spec import InputSpec
    from rarebird.recipe.recipe import Recipe

View = Callable[[Inputs], Inputs]


def views(recipe: Recipe, spec: InputSpec) -> list[View]:
    """The views that a recipe asks for.

    Raises:
        DataError: None of the recipe's augmentations can serve.
    """
    if not recipe.test_time_views or recipe.reference is not None:
        return []
    serving: list[Any] = [method for method in recipe.augmentation if getattr(type(method), "test_time", False)]
    if not serving:
        raise DataError(
            "test_time_views needs an augmentation that shows a row from elsewhere, for instance translate or "
            "time_shift."
        )
    steps = [method.bind(TrainStatistics(spec)) for method in serving]
    return [_View(steps, recipe.seed * 1_000_003 + place) for place in range(recipe.test_time_views)]


class _View:
    """One draw of every step, for all rows alike."""

    def __init__(self, steps: Sequence[BoundAugmentation], seed: int) -> None:
        self.steps, self.seed = steps, seed

    def __call__(self, x: Inputs) -> Inputs:
        return _folded_pictures(x, self._seen) if "pixels" in x else _folded_series(x, self._seen)

    def _seen(self, x: Inputs) -> Inputs:
        entry = next(iter(x.values()))
        y, weight = entry.new_ones(1, 2, dtype=torch.float32) / 2, entry.new_ones(1, dtype=torch.float32)
        generator = torch.Generator(entry.device).manual_seed(self.seed)
        for step in self.steps:
            x, y, weight = step(x, y, weight, generator)
        return x


# Rows are folded into the channels of one: an augmentation draws once for a row and treats its channels alike, and so
# draws once for all.
def _folded_pictures(x: Inputs, seen: View) -> Inputs:
    pixels = x["pixels"]
    folded: Tensor = seen({"pixels": pixels.reshape(1, -1, *pixels.shape[2:])})["pixels"]
    return {**x, "pixels": folded.reshape(pixels.shape)}


def _folded_series(x: Inputs, seen: View) -> Inputs:
    values, lengths = x["values"].clone(), x["lengths"].clone()
    for length in torch.unique(x["lengths"]):
        mine = x["lengths"] == length
        rows = x["values"][mine]
        shown = seen({"values": rows.reshape(1, -1, rows.shape[2]), "lengths": length[None]})
        values[mine], lengths[mine] = shown["values"].reshape(rows.shape), shown["lengths"]
    return {**x, "values": values, "lengths": lengths}

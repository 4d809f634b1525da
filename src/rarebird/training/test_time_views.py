"""Test-time augmentation: the prediction of a row is averaged with the predictions of a few augmented views of it.

Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks", NeurIPS 2012 (ten
crops). Each view is one draw of the recipe's augmentations, the same draw for all rows. Only augmentations with
`test_time = True` take part: those that move, turn, scale, flip, crop or blur, or that shift or stretch time. Noise,
erasing and mixing are left out.
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
        DataError: None of the recipe's augmentations has `test_time = True`.
    """
    if not recipe.test_time_views or recipe.reference is not None:
        return []
    serving: list[Any] = [method for method in recipe.augmentation if getattr(type(method), "test_time", False)]
    if not serving:
        raise DataError(
            "test_time_views needs an augmentation that moves, turns, scales or blurs rows, for instance translate or "
            "time_shift."
        )
    steps = [method.bind(TrainStatistics(spec)) for method in serving]
    return [_View(steps, recipe.seed * 1_000_003 + place) for place in range(recipe.test_time_views)]


class _View:
    """One draw of every augmentation, the same for all rows."""

    def __init__(self, steps: Sequence[BoundAugmentation], seed: int) -> None:
        self.steps, self.seed = steps, seed

    def __call__(self, x: Inputs) -> Inputs:
        return _view_of_pictures(x, self._augment) if "pixels" in x else _view_of_series(x, self._augment)

    def _augment(self, x: Inputs) -> Inputs:
        entry = next(iter(x.values()))
        y, weight = entry.new_ones(1, 2, dtype=torch.float32) / 2, entry.new_ones(1, dtype=torch.float32)
        generator = torch.Generator(entry.device).manual_seed(self.seed)
        for step in self.steps:
            x, y, weight = step(x, y, weight, generator)
        return x


# All rows become the channels of a single row: an augmentation draws once per row and treats its channels alike, so
# that all rows get the same draw.
def _view_of_pictures(x: Inputs, augment: View) -> Inputs:
    pixels = x["pixels"]
    augmented: Tensor = augment({"pixels": pixels.reshape(1, -1, *pixels.shape[2:])})["pixels"]
    return {**x, "pixels": augmented.reshape(pixels.shape)}


def _view_of_series(x: Inputs, augment: View) -> Inputs:
    values, lengths = x["values"].clone(), x["lengths"].clone()
    for length in torch.unique(x["lengths"]):
        same_length = x["lengths"] == length
        rows = x["values"][same_length]
        shown = augment({"values": rows.reshape(1, -1, rows.shape[2]), "lengths": length[None]})
        values[same_length], lengths[same_length] = shown["values"].reshape(rows.shape), shown["lengths"]
    return {**x, "values": values, "lengths": lengths}

"""Settings of affine augmentations: pictures are moved by one matrix per row, and flips are the exact special case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from rarebird.methods.augmentation._geometry import Fill, Geometric, Mirror, affine
from rarebird.methods.augmentation._strength import WithStrength
from rarebird.slots.ranges import Float

if TYPE_CHECKING:
    from rarebird.slots.protocols import BoundAugmentation, TrainStatistics


class Affine(WithStrength):
    """Settings of an affine augmentation; a subclass draws its matrices in `matrices`.

    Attributes:
        p: Share of the rows that are moved.
        fill: What is shown beyond the picture's edge.
    """

    test_time: ClassVar[bool] = True

    if TYPE_CHECKING:
        # Each subclass declares them behind its own setting, which a recipe therefore lists first.
        p: float
        fill: Fill

    def bound(self, statistics: TrainStatistics) -> BoundAugmentation:
        """The augmentation for batches, which joins its neighbors' resampling."""
        return Geometric(self.matrices, self.p, self.fill)

    def matrices(self, batch: int, generator: torch.Generator) -> Tensor:
        """``(batch, 3, 3)`` matrices from output to input coordinates, one drawn for each row."""
        raise NotImplementedError


class Flip(WithStrength):
    """Settings of a flip.

    Attributes:
        p: Share of the rows that are mirrored.
        axis: The axis of the pixels that is reversed: -1 from left to right, -2 from top to bottom.
    """

    test_time: ClassVar[bool] = True
    off_at_zero: ClassVar[tuple[str, ...]] = ("p",)
    axis: ClassVar[Literal[-2, -1]]

    p: Annotated[float, Float(0.1, 0.5), Field(ge=0, le=1)] = 0.5

    def bound(self, statistics: TrainStatistics) -> BoundAugmentation:
        """The augmentation for batches, which joins its neighbors' resampling."""
        return Mirror(self.matrices, self.p, fill=None, axis=self.axis)

    def matrices(self, batch: int, generator: torch.Generator) -> Tensor:
        """``(batch, 3, 3)`` matrices that mirror every row; which rows are mirrored is drawn afterwards."""
        reversed_side = torch.full((batch,), -1.0, device=generator.device)
        return affine(xx=reversed_side) if self.axis == -1 else affine(yy=reversed_side)

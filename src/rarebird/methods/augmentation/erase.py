"""Blank a random rectangle of some pictures with the training mean (random erasing, cutout).

Zhong et al., "Random Erasing Data Augmentation" (AAAI 2020); DeVries, Taylor, "Improved Regularization of Convolutional
Neural Networks with Cutout" (2017). With probability `p`, row i loses a rectangle whose area is uniform from 2 % (or
`max_area`, if that is smaller) to `max_area` of the picture and whose aspect ratio lies between ``1 / ratio`` and
``ratio``, uniform on a logarithmic scale, anywhere inside.

*Label-safe when:* no small spot alone shows the class; where a lesion or defect is hidden, the label becomes wrong.
*Helps when:* objects are partly hidden at prediction, or the network relies on one spot (a marker, a stamp).
*Does not help when:* pictures are tiny and the evidence is local, or the network underfits.
*Cost:* one pass over the pixels.

NOTE[DIFF]: the rectangle is filled with the training mean per channel, which is 0 for the network, not with noise; a
side longer than the picture's is cut, not drawn again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

import torch
from pydantic import Field
from torch import Tensor

from rarebird.methods.augmentation import _geometry, _rows
from rarebird.methods.augmentation._strength import WithStrength
from rarebird.slots.ranges import Float

if TYPE_CHECKING:
    from rarebird.slots.protocols import BoundAugmentation, Inputs, TrainStatistics

KINDS = ("image",)


class Erase(WithStrength):
    """Settings.

    Attributes:
        max_area: Largest share of the picture that is blanked.
        ratio: Largest aspect ratio of the rectangle, upright or lying, at least 1.
        p: Share of the rows that lose a rectangle.
    """

    off_at_zero: ClassVar[tuple[str, ...]] = ("max_area", "p")

    max_area: Annotated[float, Float(0.05, 0.5), Field(ge=0, le=1)] = 0.2
    ratio: float = Field(default=3.3, ge=1, le=10)
    p: Annotated[float, Float(0.1, 1.0), Field(ge=0, le=1)] = 0.5

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; a square out of every row."""
        return [cls(), cls(max_area=0.25, ratio=1, p=1)]

    def bound(self, statistics: TrainStatistics) -> BoundAugmentation:
        """The augmentation for batches."""

        def erased(x: Inputs, generator: torch.Generator) -> Tensor:
            area = _rows.uniform(min(0.02, self.max_area), self.max_area, len(x["pixels"]), generator)
            return without_box(x["pixels"], area, self.ratio, statistics.spec.mean, generator)

        return _rows.ChangedEntry("pixels", self.p, erased)


def without_box(
    pixels: Tensor, area: Tensor, ratio: float, color: Sequence[float], generator: torch.Generator
) -> Tensor:
    """Pictures with a rectangle blanked, at a place and of an aspect ratio drawn for each.

    Args:
        pixels: ``(batch, channels, height, width)``.
        area: ``(batch,)`` share of the picture that the rectangle covers; a little less where a side would be longer
            than the picture's.
        ratio: Largest aspect ratio, upright or lying, at least 1.
        color: What fills the rectangle, per channel; 0 where empty.
        generator: On the device of `pixels`.
    """
    stretch = _rows.symmetric(math.log(ratio) / 2, len(pixels), generator).exp()
    height, width = ((area.sqrt() * factor).clamp_(max=1) for factor in (stretch, 1 / stretch))
    box = _geometry.boxes((height, width), (pixels.shape[-2], pixels.shape[-1]), generator)
    blank = torch.tensor(color or (0.0,) * pixels.shape[1]).to(pixels)
    return torch.where(box, blank[:, None, None], pixels)

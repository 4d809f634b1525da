"""Mirror some pictures left to right.

The oldest augmentation of natural pictures, from Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep
Convolutional Neural Networks" (NeurIPS 2012), section 4.1. Row i becomes ``pixels[:, :, ::-1]`` with probability `p`.

*Label-safe when:* left and right mean the same: objects, animals, textures, tissue under a microscope. A mirrored chest
X-ray has its heart on the wrong side; a mirrored letter, digit or traffic sign is another one, or none. Off by default,
as every flip of pictures. *Helps when:* the objects face both ways in the field but few training pictures show both.
*Does not help when:* the side is what the label depends on, or training pictures are many and already face both ways.
*Cost:* a copy; nothing when it stands beside another geometric method, as they share one resampling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Self

import torch
from pydantic import Field
from torch import Tensor

from rarebird.methods.augmentation import _geometry, _rows
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float

if TYPE_CHECKING:
    from rarebird.slots.protocols import BoundAugmentation, TrainStatistics

KINDS = ("image",)


class HorizontalFlip(Method):
    """Settings.

    Attributes:
        p: Share of the rows that are mirrored.
    """

    test_time: ClassVar[bool] = True

    p: Annotated[float, Float(0.1, 0.5), Field(ge=0, le=1)] = 0.5

    @classmethod
    def neutral(cls) -> Self:
        """The settings that change nothing."""
        return cls(p=0)

    def bind(self, statistics: TrainStatistics) -> BoundAugmentation:
        """The augmentation for batches."""
        return _geometry.Mirror(left_to_right, self.p, fill=None, axis=-1) if self.p > 0 else _rows.unchanged


def left_to_right(batch: int, generator: torch.Generator) -> Tensor:
    """``(batch, 3, 3)`` mirrors on the vertical axis."""
    return _geometry.affine(xx=torch.full((batch,), -1.0, device=generator.device))

"""Mirror some pictures top to bottom.

With `horizontal_flip` and quarter turns it spans the symmetries of the square under which aerial and microscope
pictures keep their meaning; see Cohen, Welling, "Group Equivariant Convolutional Networks" (ICML 2016). Row i becomes
``pixels[:, ::-1, :]`` with probability `p`.

*Label-safe when:* there is no up: aerial and satellite pictures, microscopy, surfaces, textures. Not for photographs
under gravity, X-rays of a standing patient, letters or digits (a mirrored 6 is no 9 either). Off by default, as every
flip of pictures. *Helps when:* orientation is arbitrary and rows are few.
*Does not help when:* the field's pictures have one orientation: the network spends its capacity on pictures it will
never see. *Cost:* a copy; nothing when it stands beside another geometric method, as they share one resampling.
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


class VerticalFlip(Method):
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
        return _geometry.Mirror(top_to_bottom, self.p, fill=None, axis=-2) if self.p > 0 else _rows.unchanged


def top_to_bottom(batch: int, generator: torch.Generator) -> Tensor:
    """``(batch, 3, 3)`` mirrors on the horizontal axis."""
    return _geometry.affine(yy=torch.full((batch,), -1.0, device=generator.device))

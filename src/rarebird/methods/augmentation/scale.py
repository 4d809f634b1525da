"""Make each picture a little larger or smaller about its center.

Row i is scaled by a factor between ``1 / (1 + strength)`` and ``1 + strength``, uniform on a logarithmic scale, so that
shrinking is as likely as growing; Simard, Steinkraus, Platt, "Best Practices for Convolutional Neural Networks Applied
to Visual Document Analysis" (ICDAR 2003).

*Label-safe when:* size is not what tells classes apart. Not for cells, particles or tumors that are graded by their
size.
*Helps when:* the distance to the camera or the magnification varies at prediction.
*Does not help when:* the scale is fixed by the instrument.
*Cost:* one bilinear resampling, shared with neighboring geometric methods.

NOTE[DIFF]: one factor for both sides and no low-pass filter before shrinking: at the factors of the search range (down
to 2/3) bilinear interpolation gives little aliasing.
"""

from __future__ import annotations

import math
from typing import Annotated, Self

import torch
from pydantic import Field
from torch import Tensor

from rarebird.methods.augmentation import _geometry, _rows
from rarebird.methods.augmentation._affine import Affine
from rarebird.slots.ranges import Float

KINDS = ("image",)


class Scale(Affine):
    """Settings.

    Attributes:
        strength: Largest growth, 0.1 for 10 %; the largest shrinkage is its inverse.
        p: Share of the rows that are scaled.
        fill: What is shown beyond the edge: ``edge`` repeats the edge's pixels, ``reflect`` mirrors the picture,
            ``zero`` is black.
    """

    strength: Annotated[float, Float(0.02, 0.5), Field(ge=0, le=3)] = 0.1
    p: float = Field(default=1.0, ge=0, le=1)
    fill: _geometry.Fill = "edge"

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; half of the rows, by more, on black."""
        return [cls(), cls(strength=0.5, p=0.5, fill="zero")]

    def matrices(self, batch: int, generator: torch.Generator) -> Tensor:
        return magnification(_rows.symmetric(math.log1p(self.strength), batch, generator).exp())


def magnification(factor: Tensor) -> Tensor:
    """``(batch, 3, 3)`` matrices that enlarge pictures by `factor` ``(batch,)``."""
    return _geometry.affine(xx=1 / factor, yy=1 / factor)

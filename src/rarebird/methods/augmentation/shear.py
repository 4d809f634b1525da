"""Slant each picture along x and along y by small random angles.

Row i is sheared along x and then along y by two angles drawn uniformly from ``-degrees`` to ``degrees``; Simard,
Steinkraus, Platt, "Best Practices for Convolutional Neural Networks Applied to Visual Document Analysis" (ICDAR 2003);
ShearX and ShearY of Cubuk et al., "AutoAugment" (CVPR 2019).

*Label-safe when:* a slant does not change the class: handwriting, objects seen from changing angles. Not where
straightness or right angles are the label (cracks against joints, aligned parts).
*Helps when:* handwriting or viewpoints vary and rows are few.
*Does not help when:* the optics are fixed and flat (scanners, microscopes).
*Cost:* one bilinear resampling, shared with neighboring geometric methods.
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Self

import torch
from pydantic import Field
from torch import Tensor

from rarebird.methods.augmentation import _geometry, _rows
from rarebird.methods.augmentation._affine import Affine
from rarebird.slots.ranges import Float

KINDS = ("image",)


class Shear(Affine):
    """Settings.

    Attributes:
        degrees: Largest angle in either direction, in degrees.
        p: Share of the rows that are slanted.
        fill: What is shown beyond the edge: ``edge`` repeats the edge's pixels, ``reflect`` mirrors the picture,
            ``zero`` is black.
    """

    off_at_zero: ClassVar[tuple[str, ...]] = ("degrees", "p")

    degrees: Annotated[float, Float(1, 20), Field(ge=0, le=60)] = 5.0
    p: float = Field(default=1.0, ge=0, le=1)
    fill: _geometry.Fill = "edge"

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; half of the rows, by more, on black."""
        return [cls(), cls(degrees=20, p=0.5, fill="zero")]

    def matrices(self, batch: int, generator: torch.Generator) -> Tensor:
        sideways, upright = (_rows.symmetric(math.radians(self.degrees), batch, generator) for _ in range(2))
        return slant(sideways, upright)


def slant(sideways: Tensor, upright: Tensor) -> Tensor:
    """``(batch, 3, 3)`` matrices that shear along x, then along y, by angles ``(batch,)`` in radians; areas
    stay the same."""
    along_x, along_y = sideways.tan(), upright.tan()
    # The product of both shears, written out: its determinant is exactly 1.
    return _geometry.affine(xx=1 + along_x * along_y, xy=-along_x, yx=-along_y)

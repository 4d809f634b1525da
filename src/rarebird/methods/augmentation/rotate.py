"""Turn each picture by a small random angle.

Row i turns about its center by an angle drawn uniformly from ``-degrees`` to ``degrees``: LeCun et al., "Gradient-Based
Learning Applied to Document Recognition" (1998), train on such distorted digits; Shorten, Khoshgoftaar, "A survey on
Image Data Augmentation for Deep Learning" (Journal of Big Data 2019), section "Rotation". Angles are kept on pictures
that are not square, too.

*Label-safe when:* the angle is too small to change the class: 10 to 15 degrees for digits and letters (a 6 turned far
enough is a 9), a few degrees for X-rays, 180 for aerial, satellite and microscope pictures.
*Helps when:* cameras, scanners or patients are a little tilted, and rows are few.
*Does not help when:* the angle is the label, or details of about one pixel decide the class: interpolation blurs them.
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


class Rotate(Affine):
    """Settings.

    Attributes:
        degrees: Largest angle in either direction, in degrees.
        p: Share of the rows that are turned.
        fill: What is shown beyond the edge: ``edge`` repeats the edge's pixels, ``reflect`` mirrors the picture,
            ``zero`` is black.
    """

    off_at_zero: ClassVar[tuple[str, ...]] = ("degrees", "p")

    degrees: Annotated[float, Float(2, 45), Field(ge=0, le=180)] = 10.0
    p: float = Field(default=1.0, ge=0, le=1)
    fill: _geometry.Fill = "edge"

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; any angle; half of the rows, mirrored beyond the edge."""
        return [cls(), cls(degrees=180, fill="zero"), cls(p=0.5, fill="reflect")]

    def matrices(self, batch: int, generator: torch.Generator) -> Tensor:
        return rotation(_rows.symmetric(math.radians(self.degrees), batch, generator))


def rotation(angle: Tensor) -> Tensor:
    """``(batch, 3, 3)`` matrices that turn pictures counter-clockwise by `angle` ``(batch,)`` radians."""
    cosine, sine = angle.cos(), angle.sin()
    return _geometry.affine(xx=cosine, xy=-sine, yx=sine, yy=cosine)

"""Move each picture by a random share of its width and height.

Row i moves by draws from ``-fraction`` to ``fraction`` of its width and, independently, of its height, also by
fractions of a pixel; TranslateX and TranslateY of Cubuk et al., "AutoAugment" (CVPR 2019). `pad_crop` moves by whole
pixels.

*Label-safe when:* the object stays inside the picture. Not where the place itself is the label (the side of a lesion,
the cell of a grid).
*Helps when:* objects are not centered at prediction; without it, small networks with dense layers memorize the place.
*Does not help when:* all pictures, those at prediction included, are registered to a template.
*Cost:* one bilinear resampling, shared with neighboring geometric methods.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

import torch
from pydantic import Field
from torch import Tensor

from rarebird.methods.augmentation import _geometry, _rows
from rarebird.methods.augmentation._affine import Affine
from rarebird.slots.ranges import Float

KINDS = ("image",)


class Translate(Affine):
    """Settings.

    Attributes:
        fraction: Largest move in either direction, as a share of the side.
        p: Share of the rows that are moved.
        fill: What is shown beyond the edge: ``edge`` repeats the edge's pixels, ``reflect`` mirrors the picture,
            ``zero`` is black.
    """

    off_at_zero: ClassVar[tuple[str, ...]] = ("fraction", "p")

    fraction: Annotated[float, Float(0.02, 0.25), Field(ge=0, le=1)] = 0.1
    p: float = Field(default=1.0, ge=0, le=1)
    fill: _geometry.Fill = "edge"

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; an eighth, on black; half of the rows, mirrored beyond the edge."""
        return [cls(), cls(fraction=0.125, fill="zero"), cls(p=0.5, fill="reflect")]

    def matrices(self, batch: int, generator: torch.Generator) -> Tensor:
        right, down = (_rows.symmetric(self.fraction, batch, generator) for _ in range(2))
        return translation(right, down)


def translation(right: Tensor, down: Tensor) -> Tensor:
    """``(batch, 3, 3)`` matrices that move pictures by shares ``(batch,)`` of their width and height."""
    # Coordinates span -1..1, so a whole side is 2 units; the matrix maps output to input, hence the sign.
    return _geometry.affine(x=-2 * right, y=-2 * down)

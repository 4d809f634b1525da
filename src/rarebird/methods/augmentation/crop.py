"""Show the network a random part of each picture at full size (random resized crop).

Szegedy et al., "Going Deeper with Convolutions" (CVPR 2015), section 6. Row i keeps a window whose area is a uniform
share from ``min_area`` to 1 of the picture's and whose aspect ratio, relative to the picture's own, lies between ``1 /
ratio`` and ``ratio``, uniform on a logarithmic scale; the window lies anywhere inside the picture and is stretched to
its size.

*Label-safe when:* every part that is large enough still shows the class. Not when a small lesion or defect is the whole
evidence: a crop without it has the wrong label; keep `min_area` high there.
*Helps when:* objects fill varying parts of the picture; the standard for photographs at 224 pixels.
*Does not help when:* pictures are tiny, registered, or the evidence is local. For padding and cropping see `pad_crop`.
*Cost:* one bilinear resampling, shared with neighboring geometric methods.

NOTE[DIFF]: a window longer than the picture is cut to the picture's side, where the original draws again up to ten
times: that would need a loop per row.
"""

from __future__ import annotations

import math
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


class Crop(Method):
    """Settings.

    Attributes:
        min_area: Smallest share of the picture's area that is kept.
        ratio: Largest change of the aspect ratio, at least 1.
        p: Share of the rows that are cropped.
    """

    test_time: ClassVar[bool] = True

    min_area: Annotated[float, Float(0.2, 0.95), Field(gt=0, le=1)] = 0.6
    ratio: Annotated[float, Float(1.0, 1.5), Field(ge=1, le=4)] = 4 / 3
    p: float = Field(default=1.0, ge=0, le=1)

    @classmethod
    def neutral(cls) -> Self:
        """The settings that change nothing."""
        return cls(min_area=1, ratio=1)

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; the original's range; half of the rows, aspect kept."""
        return [cls(), cls(min_area=0.08), cls(ratio=1, p=0.5)]

    def bind(self, statistics: TrainStatistics) -> BoundAugmentation:
        """The augmentation for batches."""
        if (self.min_area == 1 and self.ratio == 1) or self.p == 0:
            return _rows.unchanged

        def draw(batch: int, generator: torch.Generator) -> Tensor:
            area = _rows.uniform(self.min_area, 1, batch, generator)
            stretch = _rows.symmetric(math.log(self.ratio) / 2, batch, generator).exp()
            width, height = ((area.sqrt() * factor).clamp_(max=1) for factor in (stretch, 1 / stretch))
            x, y = (_rows.symmetric(1, batch, generator) for _ in range(2))
            return window(width, height, x, y)

        return _geometry.Geometric(draw, self.p, fill=None)


def window(width: Tensor, height: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """``(batch, 3, 3)`` matrices that show a part of each picture at full size.

    Args:
        width: ``(batch,)`` share of the picture's width, 0..1.
        height: ``(batch,)`` share of its height.
        x: ``(batch,)`` place of the window, from -1 at the left edge to 1 at the right.
        y: ``(batch,)`` the same, from -1 at the top to 1 at the bottom.
    """
    return _geometry.affine(xx=width, yy=height, x=x * (1 - width), y=y * (1 - height))

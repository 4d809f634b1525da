"""Move each picture by a few whole pixels (padding, then a crop of the old size).

The augmentation of CIFAR since He et al., "Deep Residual Learning for Image Recognition" (CVPR 2016), section 4.2: pad
by 4 pixels on each side and cut 32 x 32 out again. Row i moves down by a whole number of pixels from ``-m`` to ``m``,
all equally likely, ``m = max(1, round(fraction height))``, and independently along its width.

*Label-safe when:* the object stays inside the picture. Not where the place itself is the label (the side of a lesion,
the cell of a grid), or where a small lesion or defect near the edge is the evidence.
*Helps when:* objects are not centered at prediction, and pictures are so small that interpolation would blur them.
*Does not help when:* all pictures, those at prediction included, are registered to a template.
*Cost:* a copy by index, a fraction of a resampling. Geometric methods that follow one another share one resampling,
which `pad_crop` between them would split: put it before or after them, or use `translate`, which joins them.

NOTE[DIFF]: the original pads after subtracting the mean, so that its border is the mean color; ``fill="zero"`` is
black. The other fills leave no border that shows how far a picture was moved.
"""

from __future__ import annotations

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


class PadCrop(WithStrength):
    """Settings.

    Attributes:
        fraction: Largest move as a share of the side, either way, rounded to whole pixels, at least one; 0.125 is 4
            pixels of 32.
        p: Share of the rows that are moved.
        fill: What is shown beyond the edge: ``zero`` is black, ``edge`` repeats the edge's pixels, ``reflect`` mirrors
            the picture.
    """

    test_time: ClassVar[bool] = True
    off_at_zero: ClassVar[tuple[str, ...]] = ("fraction", "p")

    fraction: Annotated[float, Float(0.03, 0.25), Field(ge=0, le=1)] = 0.125
    p: float = Field(default=1.0, ge=0, le=1)
    fill: _geometry.Fill = "zero"

    @classmethod
    def examples(cls) -> list[Self]:
        """The default, which is CIFAR's; half of the rows, mirrored beyond the edge; the edge repeated."""
        return [cls(), cls(p=0.5, fill="reflect"), cls(fraction=0.25, fill="edge")]

    def bound(self, statistics: TrainStatistics) -> BoundAugmentation:
        """The augmentation for batches."""

        def cropped(x: Inputs, generator: torch.Generator) -> Tensor:
            pixels = x["pixels"]
            down, right = (whole(self.fraction, side, len(pixels), generator) for side in pixels.shape[-2:])
            return shifted(pixels, down, right, self.fill)

        return _rows.ChangedEntry("pixels", self.p, cropped)


def whole(fraction: float, side: int, batch: int, generator: torch.Generator) -> Tensor:
    """``(batch,)`` whole numbers of pixels, uniform up to a `fraction` of `side` either way."""
    most = max(1, round(fraction * side))
    return torch.randint(-most, most + 1, (batch,), generator=generator, device=generator.device)


def shifted(pixels: Tensor, down: Tensor, right: Tensor, fill: _geometry.Fill) -> Tensor:
    """Pictures moved by whole pixels; every value is one of the picture's own, or 0.

    Args:
        pixels: ``(batch, channels, height, width)``.
        down: ``(batch,)`` int64 pixels.
        right: ``(batch,)`` int64 pixels.
        fill: What is shown beyond the edge: the edge's pixel, the picture mirrored, or 0.
    """
    height, width = pixels.shape[-2:]
    lines = torch.arange(height, device=pixels.device) - down[:, None]
    columns = torch.arange(width, device=pixels.device) - right[:, None]
    source = _inside(lines, height, fill)[:, :, None] * width + _inside(columns, width, fill)[:, None, :]
    moved = pixels.flatten(2).gather(2, source.flatten(1)[:, None].expand(-1, pixels.shape[1], -1)).view(pixels.shape)
    if fill == "zero":
        own = ((lines >= 0) & (lines < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
        moved *= own[:, None]
    return moved


def _inside(place: Tensor, side: int, fill: _geometry.Fill) -> Tensor:
    """Positions ``(batch, side)`` along an axis; those beyond an edge are replaced by positions inside."""
    if fill == "reflect":
        # Mirrored at the edge itself, as `grid_sample` does: the pixel at the edge comes twice.
        place = place % (2 * side)
        return torch.minimum(place, 2 * side - 1 - place)
    return place.clamp(0, side - 1)

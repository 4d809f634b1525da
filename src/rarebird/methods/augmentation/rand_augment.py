"""Change each picture by a few random operations, all of one strength (RandAugment).

Cubuk et al., "RandAugment: Practical Automated Data Augmentation with a Reduced Search Space" (NeurIPS 2020). Row i
draws `number` times, with replacement, one of: nothing, a rotation, a shear or a move along x or y, a scaling,
brightness, contrast, saturation (of three channels), a blur, noise, a blanked rectangle; with ``flips=true`` also a
left-right flip. Each acts at strength `magnitude`, up or down with equal probability; 1 means a rotation by 30 degrees,
a shear by .3, a move by .45 of the side, a scaling by 1.5, a brightness shift of one training standard deviation,
contrast and saturation by .9, a blur of 2 pixels, noise of .5 standard deviations, a rectangle of .3 of the picture.

*Label-safe when:* no operation changes the class at this strength: natural pictures. Not where place, angle, size or
color is the label, nor where a small lesion is the evidence; choose single methods there.
*Helps when:* rows are few and nobody knows which single augmentation is right: two settings instead of a dozen.
*Does not help when:* the network underfits or the training is short; strong settings hide what rare rows show.
*Cost:* at most one bilinear resampling per row, for half of the draws; the rest is small.

NOTE[DIFF]: operations are drawn per row and change floats, not bytes; the ranges of strength are continuous, not of 31
steps. Posterizing, solarizing, equalizing and sharpening are left out: they turn gray medical pictures into pictures
that no device makes; blur, noise, scaling and erasing are added. A row's geometric operations are composed into one
resampling and come before its others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field

from rarebird.methods.augmentation import _geometry, _operations, _rows
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float, Int

if TYPE_CHECKING:
    from rarebird.slots.protocols import BoundAugmentation, TrainStatistics

KINDS = ("image",)


class RandAugment(Method):
    """Settings.

    Attributes:
        number: Operations per row.
        magnitude: Strength of each, as a share of its own range.
        flips: Whether a left-right flip is one of the operations; a mirrored chest X-ray or letter changes its meaning.
        p: Share of the rows that change.
        fill: What is shown beyond the edge: ``edge`` repeats the edge's pixels, ``reflect`` mirrors the picture,
            ``zero`` is black.
    """

    number: Annotated[int, Int(1, 3), Field(ge=1, le=10)] = 2
    magnitude: Annotated[float, Float(0.1, 1.0), Field(ge=0, le=1)] = 0.3
    flips: bool = False
    p: float = Field(default=1.0, ge=0, le=1)
    fill: _geometry.Fill = "edge"

    @classmethod
    def neutral(cls) -> Self:
        """The settings that change nothing."""
        return cls(magnitude=0)

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; half of the rows, strongly, flips among them, on black."""
        return [cls(), cls(number=3, magnitude=0.8, flips=True, p=0.5, fill="zero")]

    def bind(self, statistics: TrainStatistics) -> BoundAugmentation:
        """The augmentation for batches."""
        if (self.magnitude == 0 and not self.flips) or self.p == 0:
            return _rows.unchanged
        return _operations.RandomOperations(
            geometric=_operations.geometric(self.flips),
            photometric=_operations.photometric(statistics.spec, self.magnitude),
            number=self.number,
            least=self.magnitude,
            most=self.magnitude,
            p=self.p,
            fill=self.fill,
        )

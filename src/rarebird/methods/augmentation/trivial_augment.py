"""Change each picture by one random operation of random strength (TrivialAugment).

Müller, Hutter, "TrivialAugment: Tuning-free Yet State-of-the-Art Data Augmentation" (ICCV 2021). Row i draws one of
`rand_augment`'s operations ("nothing" is one of them) and a strength uniform from 0 to `magnitude` of that operation's
range, up or down with equal probability. Nothing needs to be tuned; lower `magnitude` where the whole range changes
labels.

*Label-safe when:* no operation of `rand_augment` changes the class up to this strength: natural pictures. Not where
place, angle, size or color is the label, nor where a small lesion is the evidence; choose single methods there.
*Helps when:* rows are few and there is no time to search for an augmentation.
*Does not help when:* the network underfits or the training is short.
*Cost:* a bilinear resampling for the half of the rows that draw a geometric operation; the rest is small.

NOTE[DIFF]: those of `rand_augment`; its ranges, which the paper calls RA, are the default, not the "wide" ones
(rotations up to 135 degrees).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field

from rarebird.methods.augmentation import _geometry, _operations, _rows
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float

if TYPE_CHECKING:
    from rarebird.slots.protocols import BoundAugmentation, TrainStatistics

KINDS = ("image",)


class TrivialAugment(Method):
    """Settings.

    Attributes:
        magnitude: Largest strength, as a share of each operation's own range.
        flips: Whether a left-right flip is one of the operations; a mirrored chest X-ray or letter changes its meaning.
        p: Share of the rows that change.
        fill: What is shown beyond the edge: ``edge`` repeats the edge's pixels, ``reflect`` mirrors the picture,
            ``zero`` is black.
    """

    magnitude: Annotated[float, Float(0.2, 1.0), Field(ge=0, le=1)] = 1.0
    flips: bool = False
    p: float = Field(default=1.0, ge=0, le=1)
    fill: _geometry.Fill = "edge"

    @classmethod
    def neutral(cls) -> Self:
        """The settings that change nothing."""
        return cls(magnitude=0)

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; half of the rows, mildly, flips among them, mirrored beyond the edge."""
        return [cls(), cls(magnitude=0.4, flips=True, p=0.5, fill="reflect")]

    def bind(self, statistics: TrainStatistics) -> BoundAugmentation:
        """The augmentation for batches."""
        if (self.magnitude == 0 and not self.flips) or self.p == 0:
            return _rows.unchanged
        return _operations.RandomOperations(
            geometric=_operations.geometric(self.flips),
            photometric=_operations.photometric(statistics.spec, self.magnitude),
            number=1,
            least=0,
            most=self.magnitude,
            p=self.p,
            fill=self.fill,
        )

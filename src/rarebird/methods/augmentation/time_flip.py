"""Run some series backwards.

"Time reverse" of Rommel, Moreau, Paillard, Gramfort, "CADDA: Class-wise Automatic Differentiable Data Augmentation for
EEG Signals" (ICLR 2022). Row i is read from its own last step to its first with probability `p`.

*Label-safe when:* the process looks the same forwards and backwards: spectra, outlines read around a shape, stationary
vibration or noise. Not for anything with cause and effect: a heartbeat, speech, a gesture, a decay.
*Helps when:* rows are few and the direction of time does not matter.
*Does not help when:* the class depends on the direction, or the network looks at frequencies alone.
*Cost:* one gather.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Self

import torch
from pydantic import Field
from torch import Tensor

from rarebird.methods.augmentation import _rows
from rarebird.methods.augmentation._strength import WithStrength
from rarebird.slots.ranges import Float

if TYPE_CHECKING:
    from rarebird.slots.protocols import BoundAugmentation, TrainStatistics

KINDS = ("series",)


class TimeFlip(WithStrength):
    """Settings.

    Attributes:
        p: Share of the rows that are reversed.
    """

    test_time: ClassVar[bool] = True
    off_at_zero: ClassVar[tuple[str, ...]] = ("p",)

    p: Annotated[float, Float(0.1, 0.5), Field(ge=0, le=1)] = 0.5

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; a few rows."""
        return [cls(), cls(p=0.1)]

    def bound(self, statistics: TrainStatistics) -> BoundAugmentation:
        """The augmentation for batches."""
        return _rows.ChangedEntry("values", self.p, lambda x, generator: backwards(x["values"], x["lengths"]))


def backwards(values: Tensor, lengths: Tensor) -> Tensor:
    """`values` ``(batch, channels, length)`` with each series' own steps in reverse; the padding stays where it is."""
    steps = torch.arange(values.shape[-1], device=values.device)
    source = torch.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)
    return values.gather(-1, source[:, None].expand(values.shape))

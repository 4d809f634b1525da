"""Set whole channels of a series to 0, but never all of them.

A network that learns while sensors fail at random relies on no sensor alone: Liu et al., "Learning End-to-end
Multimodal Sensor Policies for Autonomous Navigation" (CoRL 2017, "sensor dropout"); Saeed, Grangier, Pietquin,
Zeghidour, "Learning from Heterogeneous EEG Signals with Differentiable Channel Reordering" (ICASSP 2021). Each channel
of row i becomes 0, its mean, with probability `rate`; where all channels would become 0, a random one stays.

*Label-safe when:* channels are redundant: electrodes side by side, axes of one motion, several views of one machine.
*Helps when:* sensors fail or are missing at prediction, or the network relies on one channel.
*Does not help when:* one channel alone shows the class, or the series has one channel (then nothing changes).
*Cost:* one pass.

NOTE[DIFF]: channels that stay are not scaled up as by dropout inside a network: a channel keeps its unit.
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
    from rarebird.slots.protocols import BoundAugmentation, Inputs, TrainStatistics

KINDS = ("series",)


class ChannelDropout(WithStrength):
    """Settings.

    Attributes:
        rate: Probability that a channel of a row becomes 0.
        p: Share of the rows that may lose channels.
    """

    off_at_zero: ClassVar[tuple[str, ...]] = ("rate", "p")

    rate: Annotated[float, Float(0.05, 0.5), Field(ge=0, le=1)] = 0.2
    p: float = Field(default=1.0, ge=0, le=1)

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; all channels but one of half of the rows."""
        return [cls(), cls(rate=1, p=0.5)]

    def bound(self, statistics: TrainStatistics) -> BoundAugmentation:
        """The augmentation for batches."""
        if statistics.spec.channels == 1:
            return _rows.unchanged

        def dropped(x: Inputs, generator: torch.Generator) -> Tensor:
            values = x["values"]
            return torch.where(kept(self.rate, len(values), values.shape[1], generator)[:, :, None], values, 0)

        return _rows.ChangedEntry("values", self.p, dropped)


def kept(rate: float, batch: int, channels: int, generator: torch.Generator) -> Tensor:
    """``(batch, channels)`` bool: each channel stays with probability ``1 - rate``, and one of each row at least."""
    drawn = torch.rand(batch, channels, generator=generator, device=generator.device)
    return (drawn >= rate) | (drawn == drawn.amax(dim=1, keepdim=True))

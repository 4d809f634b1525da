"""Show the network a random window of each series, stretched to the whole length.

"Window slicing" of Le Guennec, Malinowski, Tavenard, "Data Augmentation for Time Series Classification using
Convolutional Neural Networks" (2016), stretched back as by Iwana, Uchida, "An empirical survey of data augmentation for
time series classification with neural networks" (PLOS ONE 2021). Row i keeps a window whose length is a uniform share
from `min_share` to 1 of the series' own, anywhere inside; the window is stretched to as many steps as the series has.

*Label-safe when:* every window that is large enough still shows the class, and tempo does not decide it: a stretched
series is slower. Not where one short event decides and may be cut off, or for aligned series.
*Helps when:* recordings begin and end at arbitrary moments and vary in speed.
*Does not help when:* the evidence is at the ends, or frequency is the label.
*Cost:* one gather; values between steps are interpolated.

NOTE[DIFF]: the share is drawn for each row, where the survey fixes it at .9.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Self

import torch
from pydantic import Field
from torch import Tensor

from rarebird.methods.augmentation import _rows, _timeline
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float

if TYPE_CHECKING:
    from rarebird.slots.protocols import BoundAugmentation, Inputs, TrainStatistics

KINDS = ("series",)


class WindowCrop(Method):
    """Settings.

    Attributes:
        min_share: Smallest share of the series' own length that is kept.
        p: Share of the rows that are cropped.
    """

    test_time: ClassVar[bool] = True

    min_share: Annotated[float, Float(0.5, 0.95), Field(gt=0, le=1)] = 0.8
    p: float = Field(default=1.0, ge=0, le=1)

    @classmethod
    def neutral(cls) -> Self:
        """The settings that change nothing."""
        return cls(min_share=1)

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; half of the rows, down to half of their length."""
        return [cls(), cls(min_share=0.5, p=0.5)]

    def bind(self, statistics: TrainStatistics) -> BoundAugmentation:
        """The augmentation for batches."""
        if self.min_share == 1 or self.p == 0:
            return _rows.unchanged

        def cropped(x: Inputs, generator: torch.Generator) -> Tensor:
            share = _rows.uniform(self.min_share, 1, len(x["values"]), generator)
            place = _rows.uniform(0, 1, len(x["values"]), generator)
            return window(x["values"], x["lengths"], share, place)

        return _rows.ChangedEntry("values", self.p, cropped)


def window(values: Tensor, lengths: Tensor, share: Tensor, place: Tensor) -> Tensor:
    """A window of each series in as many steps as the series has.

    Args:
        values: ``(batch, channels, length)``.
        lengths: ``(batch,)`` each series' own steps.
        share: ``(batch,)`` length of the window as a share of the series' own, 0..1.
        place: ``(batch,)`` 0 where the window begins with the series, 1 where it ends with it.

    Returns:
        ``(batch, channels, length)``; the padding stays 0.
    """
    last = (lengths - 1)[:, None].to(share.dtype)
    start = place[:, None] * (1 - share[:, None]) * last
    times = start + share[:, None] * torch.arange(values.shape[-1], device=values.device)
    return _timeline.interpolated(values, torch.minimum(times, last)) * _timeline.own_steps(lengths, values.shape[-1])

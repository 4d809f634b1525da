"""Make each picture brighter or darker by a random shift.

The "brightness" of Krizhevsky, Sutskever, Hinton (NeurIPS 2012) and of every color jitter since. Row i becomes
``clamp(x + s_i, 0, 1)``, the same in all channels, with s_i uniform from ``-strength`` to ``strength`` standard
deviations of the training pixels (root mean square over channels), so that a setting means the same on bright
photographs and on dark 12-bit scans.

*Label-safe when:* absolute brightness is exposure, not evidence. Not for calibrated units (Hounsfield values,
reflectance, optical density).
*Helps when:* lighting or exposure differs between pictures, sites or devices.
*Does not help when:* each picture is already normalized by its own mean and deviation.
*Cost:* two passes over the pixels.

NOTE[DIFF]: the usual jitter multiplies, which leaves dark pictures almost as they are and saturates bright ones; this
shift is in units of the data, and `contrast` multiplies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

import torch
from pydantic import Field
from torch import Tensor

from rarebird.methods.augmentation import _rows
from rarebird.methods.augmentation._strength import WithStrength
from rarebird.slots.ranges import Float

if TYPE_CHECKING:
    from rarebird.slots.protocols import BoundAugmentation, TrainStatistics

KINDS = ("image",)


class Brightness(WithStrength):
    """Settings.

    Attributes:
        strength: Largest shift up or down, in standard deviations of the training pixels.
        p: Share of the rows that change.
    """

    strength: Annotated[float, Float(0.05, 1.0), Field(ge=0, le=5)] = 0.2
    p: float = Field(default=1.0, ge=0, le=1)

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; half of the rows, strongly."""
        return [cls(), cls(strength=1, p=0.5)]

    def bound(self, statistics: TrainStatistics) -> BoundAugmentation:
        """The augmentation for batches."""
        most = self.strength * _rows.pixel_std(statistics.spec)
        if most == 0:
            return _rows.unchanged

        def draw(pixels: Tensor, generator: torch.Generator) -> tuple[Tensor]:
            return (_rows.symmetric(most, len(pixels), generator),)

        return _rows.Photometric(self.p, draw, shifted)


def shifted(pixels: Tensor, shift: Tensor) -> Tensor:
    """`pixels` ``(batch, channels, height, width)`` plus `shift` ``(batch,)``, kept in 0..1."""
    return (pixels + _rows.broadcastable(shift, pixels)).clamp_(0, 1)

"""Make each picture's contrast stronger or weaker; the picture's mean stays the same.

The "contrast" of Howard, "Some Improvements on Deep Convolutional Neural Network Based Image Classification" (2013) and
of every color jitter since. Row i becomes ``clamp(m_i + g_i (x - m_i), 0, 1)`` with m_i its mean over pixels and
channels and g_i uniform from ``1 - strength`` to ``1 + strength``.

*Label-safe when:* classes differ in structure, not in contrast. Not where a faint picture means another label.
*Helps when:* exposure, staining or window settings differ between pictures, sites or devices.
*Does not help when:* each picture is already normalized by its own mean and deviation.
*Cost:* three passes over the pixels.

NOTE[DIFF]: the mean is over all channels, not over the grayscale picture, so that pictures may have any number of
channels. A factor has no unit, so dark 12-bit pictures need no scale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from rarebird.methods.augmentation import _rows
from rarebird.methods.augmentation._gain import Gain

if TYPE_CHECKING:
    from rarebird.slots.protocols import BoundAugmentation, TrainStatistics

KINDS = ("image",)


class Contrast(Gain):
    """Settings: `strength` and `p`, see `_gain`; differences from the picture's mean are multiplied."""

    def bound(self, statistics: TrainStatistics) -> BoundAugmentation:
        """The augmentation for batches."""
        return _rows.Photometric(self.p, lambda pixels, generator: (self.gains(len(pixels), generator),), stretched)


def stretched(pixels: Tensor, gain: Tensor) -> Tensor:
    """`pixels` ``(batch, channels, height, width)`` with deviations from each picture's mean times `gain` ``(batch,)``,
    kept in 0..1."""
    gain = _rows.broadcastable(gain, pixels)
    mean = pixels.mean(dim=(1, 2, 3), keepdim=True)
    # Not `addcmul`: with two factors that are broadcast it takes three times as long on a CPU.
    return (pixels * gain).add_(mean * (1 - gain)).clamp_(0, 1)

"""Make the colors of each picture stronger or paler.

The "saturation" of Howard, "Some Improvements on Deep Convolutional Neural Network Based Image Classification" (2013)
and of every color jitter since ("Color" in AutoAugment and the methods after it). Row i becomes ``clamp(l + g_i (x -
l), 0, 1)`` with l the luma ``.2989 red + .587 green + .114 blue`` of each pixel and g_i uniform from ``1 - strength``
to ``1 + strength``. Pictures that do not have three channels have no color and stay as they are.

*Label-safe when:* how strong a color is depends on camera, light or dye, not on the class. Not where pale color is the
evidence (ripeness, anemia, degree of staining).
*Helps when:* cameras, white balance or staining differ between pictures, sites or devices.
*Does not help when:* pictures are gray, or colors are calibrated.
*Cost:* three passes over the pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rarebird.methods.augmentation import _rows
from rarebird.methods.augmentation._gain import Gain

if TYPE_CHECKING:
    from rarebird.slots.protocols import BoundAugmentation, Inputs, TrainStatistics

KINDS = ("image",)


class Saturation(Gain):
    """Settings: `strength` and `p`, see `_gain`; differences from each pixel's luma are multiplied."""

    def bound(self, statistics: TrainStatistics) -> BoundAugmentation:
        """The augmentation for batches."""
        if statistics.spec.channels != 3:
            return _rows.unchanged

        def colored(x: Inputs, generator: torch.Generator) -> Tensor:
            return saturated(x["pixels"], self.gains(len(x["pixels"]), generator))

        return _rows.ChangedEntry("pixels", self.p, colored)


def saturated(pixels: Tensor, gain: Tensor) -> Tensor:
    """`pixels` ``(batch, 3, height, width)`` with differences from each pixel's luma times `gain` ``(batch,)``, kept in
    0..1."""
    red, green, blue = pixels.chunk(3, dim=1)
    luma = (0.2989 * red).add_(green, alpha=0.587).add_(blue, alpha=0.114)
    return torch.lerp(luma, pixels, _rows.broadcastable(gain, pixels)).clamp_(0, 1)

"""Mirror some pictures left to right.

The oldest augmentation of natural pictures, from Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep
Convolutional Neural Networks" (NeurIPS 2012), section 4.1. Row i becomes ``pixels[:, :, ::-1]`` with probability `p`.

*Label-safe when:* left and right mean the same: objects, animals, textures, tissue under a microscope. A mirrored chest
X-ray has its heart on the wrong side; a mirrored letter, digit or traffic sign is another one, or none. Off by default,
as all flips of pictures are.
*Helps when:* objects face both sides at prediction, but few training pictures show both.
*Does not help when:* the label depends on the side, or training pictures are many and already face both sides.
*Cost:* a copy; nothing next to another geometric method, as the two share one resampling.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from rarebird.methods.augmentation._affine import Flip

KINDS = ("image",)


class HorizontalFlip(Flip):
    """Settings: `p`, the share of the rows that are mirrored."""

    axis: ClassVar[Literal[-2, -1]] = -1

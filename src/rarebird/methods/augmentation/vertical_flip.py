"""Mirror some pictures top to bottom.

With `horizontal_flip` and quarter turns it spans the symmetries of the square under which aerial and microscope
pictures keep their meaning; see Cohen, Welling, "Group Equivariant Convolutional Networks" (ICML 2016). Row i becomes
``pixels[:, ::-1, :]`` with probability `p`.

*Label-safe when:* no direction is up: aerial and satellite pictures, microscopy, surfaces, textures. Not for
photographs under gravity, X-rays of a patient who stands, letters or digits (a mirrored 6 is no 9 either). Off by
default, as all flips of pictures are.
*Helps when:* orientation is arbitrary and rows are few.
*Does not help when:* the pictures at prediction have one orientation: the network spends its capacity on pictures that
it will never see.
*Cost:* a copy; nothing next to another geometric method, as the two share one resampling.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from rarebird.methods.augmentation._affine import Flip

KINDS = ("image",)


class VerticalFlip(Flip):
    """Settings: `p`, the share of the rows that are mirrored."""

    axis: ClassVar[Literal[-2, -1]] = -2

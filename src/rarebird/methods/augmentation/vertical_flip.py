"""Mirror some pictures top to bottom.

With `horizontal_flip` and quarter turns it spans the symmetries of the square under which aerial and microscope
pictures keep their meaning; see Cohen, Welling, "Group Equivariant Convolutional Networks" (ICML 2016). Row i becomes
``pixels[:, ::-1, :]`` with probability `p`.

*Label-safe when:* there is no up: aerial and satellite pictures, microscopy, surfaces, textures. Not for photographs
under gravity, X-rays of a standing patient, letters or digits (a mirrored 6 is no 9 either). Off by default, as every
flip of pictures. *Helps when:* orientation is arbitrary and rows are few.
*Does not help when:* the field's pictures have one orientation: the network spends its capacity on pictures it will
never see. *Cost:* a copy; nothing when it stands beside another geometric method, as they share one resampling.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from rarebird.methods.augmentation._affine import Flip

KINDS = ("image",)


class VerticalFlip(Flip):
    """Settings: `p`, the share of the rows that are mirrored."""

    axis: ClassVar[Literal[-2, -1]] = -2

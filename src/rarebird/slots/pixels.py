"""Pictures as floats, for batches, augmentations and networks that are fitted to pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def floats(pixels: Tensor) -> Tensor:
    """Pictures as floats in 0..1, whether they come as bytes or as floats already."""
    return pixels if pixels.is_floating_point() else pixels.float().div_(255)

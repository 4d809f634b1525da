"""Pictures as floats, for augmentations and batches."""

from __future__ import annotations

import torch
from torch import Tensor


def floats(pixels: Tensor) -> Tensor:
    """Pictures as floats in 0..1, whether they come as bytes or as floats already."""
    return pixels.float().div_(255) if pixels.dtype == torch.uint8 else pixels

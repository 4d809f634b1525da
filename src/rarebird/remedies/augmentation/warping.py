"""Affine resampling of large pictures on a CPU: OpenCV, picture by picture, in as many threads as torch has.

A batched `grid_sample` walks through pictures, grid and result at once, which no cache holds when pictures are large; OpenCV works out the
coordinates as it goes and stays within one picture.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from rarebird.remedies.augmentation.geometry import Fill

# Pixels from which on picture by picture is faster: even at 48 x 48 with three channels and at 56 x 56 with one, twice at 224 x 224.
LARGE = 64 * 64
# OpenCV's limit where it fills beyond the edge.
MOST_CHANNELS = 4


def serves(pixels: Tensor) -> bool:
    """Whether `resample` can move these pictures, and is the faster way to do it."""
    large = pixels.shape[-1] * pixels.shape[-2] >= LARGE
    return large and pixels.device.type == "cpu" and pixels.dtype == torch.float32 and pixels.shape[1] <= MOST_CHANNELS


def resample(pixels: Tensor, matrix: Tensor, fill: Fill) -> Tensor:
    """The same as `geometry.resample`.

    From OpenCV 5 on the same to float32's precision. OpenCV 4 rounds coordinates to 1/32 of a pixel, so that values are off by up to 1/32 of
    the difference between neighboring pixels.
    """
    import cv2

    height, width = pixels.shape[-2:]
    border = {"edge": cv2.BORDER_REPLICATE, "reflect": cv2.BORDER_REFLECT, "zero": cv2.BORDER_CONSTANT}[fill]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    maps = in_pixels(matrix, height, width).numpy()[:, :2]
    moved = torch.empty(pixels.shape)
    given, taken = pixels.numpy(), moved.numpy()

    def move(rows: np.ndarray) -> None:
        for i in rows:
            # Channels side by side share their coordinates; merging and splitting planes costs a tenth of what that saves.
            picture = cv2.warpAffine(cv2.merge(list(given[i])), maps[i], (width, height), flags=flags, borderMode=border)
            cv2.split(picture, list(taken[i]))

    threads = min(torch.get_num_threads(), len(pixels))
    others = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        if threads == 1:
            move(np.arange(len(pixels)))
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(move, np.array_split(np.arange(len(pixels)), threads)))
    finally:
        cv2.setNumThreads(others)
    return moved


def in_pixels(matrix: Tensor, height: int, width: int) -> Tensor:
    """`matrix` ``(batch, 3, 3)``, from -1..1 between the edges to float64 pixels that are counted from the first one's center."""
    pixels = torch.tensor([[width, 0, width - 1], [0, height, height - 1], [0, 0, 2]], dtype=torch.float64) / 2
    return pixels @ matrix.double() @ pixels.inverse()

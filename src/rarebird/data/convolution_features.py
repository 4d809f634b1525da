"""Features of raw pictures and series from random convolutions, for tests that compare two sets of rows: they see
texture, edges and noise, which a shrunken row has lost. Nothing is learned, and the kernels are always the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rarebird.core.checks import require
from rarebird.data.dataset import Curves, Dataset

if TYPE_CHECKING:
    from torch import Tensor

KERNELS, SEED = 32, 20_240_229
# Pictures are reduced to this side, series to these steps; responses are pooled over this number of parts per axis.
SIDE, STEPS, PARTS = 32, 512, {"image": (2, 2), "series": (1, 3)}
SIZES = {"image": (5, 5), "series": (1, 9)}
# Rows whose responses give the kernels' thresholds, and rows of a batch; all batches have as many, so that rounding
# errors are the same for every row.
THRESHOLD_ROWS, BATCH = 256, 64
# A response counts in part where it is within half of this of a threshold, and features have so many decimals: a row's
# feature must not depend on rounding errors, by which trees would tell the parts apart.
SOFT, DECIMALS = 0.25, 3


def convolution_features(*parts: Dataset) -> list[np.ndarray]:
    """``(n, d)`` features of sets of pictures or series, made by the same kernels and thresholds for all.

    For each of `KERNELS` kernels (Dempster, Petitjean and Webb, "ROCKET", 2020, with dilations), the share of positions
    whose response is above a threshold, in each part of the row, and the highest and lowest response. Thresholds are
    quantiles of the responses of all parts together, each part counting alike.

    Raises:
        ValueError: The rows are neither pictures nor series.
    """
    import torch

    kind = parts[0].kind
    require(kind in SIZES, "rows are pictures or series", kind=kind)
    longest = max((part.source.values.shape[2] for part in parts if isinstance(part.source, Curves)), default=0)
    grids = [_grids(part, min(longest, STEPS)) for part in parts]
    rows = min(THRESHOLD_ROWS, *(max(len(grid), 1) for grid in grids))
    sample = torch.cat([grid[np.linspace(0, len(grid) - 1, rows).astype(int)] for grid in grids if len(grid)])
    center, spread = sample.mean(dim=(0, 2, 3), keepdim=True), sample.std(dim=(0, 2, 3), keepdim=True) + 1e-6
    kernels = _kernels(kind, sample.shape[1], sample.shape[2:])
    thresholds = [
        torch.quantile(_responses((sample - center) / spread, *kernel), 0.1 + 0.8 * place / (KERNELS - 1))
        for place, kernel in enumerate(kernels)
    ]
    joined = (torch.cat(grids) - center) / spread
    padding = joined.new_zeros((-len(joined) % BATCH, *joined.shape[1:]))
    batches = torch.split(torch.cat([joined, padding]), BATCH)
    pooled = torch.cat([_pooled(batch, kernels, thresholds, PARTS[kind]) for batch in batches])[: len(joined)]
    found: np.ndarray = pooled.double().numpy().round(DECIMALS)
    return np.split(found, np.cumsum([len(part) for part in parts])[:-1])


Kernel = tuple["Tensor", tuple[int, int]]


def _grids(rows: Dataset, steps: int) -> Tensor:
    """``(n, C, H, W)`` float; a series is a picture of one line, stretched to `steps`, 0 where values are missing."""
    import torch
    from torch.nn import functional

    if rows.kind == "image":
        pixels = torch.from_numpy(np.ascontiguousarray(rows.raw()))
        scaled = pixels.float() / (255 if pixels.dtype == torch.uint8 else 1)
        shrink = SIDE / max(scaled.shape[2:])
        if shrink >= 1:
            return scaled
        sides = [max(1, round(side * shrink)) for side in scaled.shape[2:]]
        return functional.interpolate(scaled, sides, mode="bilinear", antialias=True)
    values, lengths = rows.raw()
    times = np.rint(np.linspace(0, 1, steps) * (lengths - 1)[:, None]).astype(int)
    taken = np.take_along_axis(np.nan_to_num(values), np.repeat(times[:, None], values.shape[1], axis=1), axis=2)
    return torch.from_numpy(taken[:, :, None].astype(np.float32))


def _kernels(kind: str, channels: int, sides: tuple[int, ...]) -> list[Kernel]:
    """Random kernels of mean 0, each with its dilation."""
    import torch

    draw = np.random.default_rng(SEED)
    found = []
    for place in range(KERNELS):
        weights = draw.normal(size=(1, channels, *SIZES[kind]))
        weights -= weights.mean()
        weights /= np.sqrt((weights**2).sum())
        longest = max(1, (max(sides) - 1) // (max(SIZES[kind]) - 1))
        dilation = min(2 ** (place % 3 if kind == "image" else place % 5), longest)
        found.append((torch.from_numpy(weights.astype(np.float32)), (dilation if kind == "image" else 1, dilation)))
    return found


def _responses(grids: Tensor, weights: Tensor, dilation: tuple[int, int]) -> Tensor:
    from torch.nn import functional

    padding = tuple(step * (size - 1) // 2 for step, size in zip(dilation, weights.shape[2:], strict=True))
    return functional.conv2d(grids, weights, padding=padding, dilation=dilation)


def _pooled(grids: Tensor, kernels: list[Kernel], thresholds: list[Tensor], parts: tuple[int, int]) -> Tensor:
    import torch
    from torch.nn import functional

    columns = []
    for kernel, threshold in zip(kernels, thresholds, strict=True):
        responses = _responses(grids, *kernel)
        above = ((responses - threshold) / SOFT + 0.5).clamp(0, 1)
        shares = functional.adaptive_avg_pool2d(above, parts).flatten(1)
        columns += [shares, responses.amax(dim=(1, 2, 3))[:, None], responses.amin(dim=(1, 2, 3))[:, None]]
    return torch.cat(columns, dim=1)

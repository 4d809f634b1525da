"""Quantiles of the dyadic intervals of a series, of its differences and of its spectrum.

Dempster, Schmidt and Webb, "quant: a minimalist interval method for time series classification", Data Mining and
Knowledge Discovery 2024. The whole series, its halves, quarters and so on, and the same intervals moved by half of
their length; of each interval a quantile for every fourth step, every second one without the interval's mean.

NOTE[DIFF]: a series that is shorter than the longest is stretched to its length first; an interval has 256 quantiles at
most.
"""

# Shape legend: B batch, C channels, T steps, Q quantiles.

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

DEPTH, STEPS_PER_QUANTILE = 6, 4
# Of an interval: more differ by less than noise, and 100,000 steps would have 880,000 columns, a minute for 60 trees.
MOST_QUANTILES = 256
SMOOTHED = 5  # steps of the moving average of the differences
# Values of a block of rows, all representations together.
MOST_CELLS = 2**22


def interval_quantiles(values: Tensor, lengths: Tensor, length: int) -> np.ndarray:
    """``(B, C * n_quantiles(length))`` float32 quantiles.

    Args:
        values: ``(B, C, T)``.
        lengths: ``(B,)`` steps of each series.
        length: To which all series are stretched.
    """
    rows = max(1, MOST_CELLS // max(values.shape[1] * length, 1))
    parts = [
        _quantiles(stretched(part.float().cpu(), own.cpu(), length))
        for part, own in zip(torch.split(values, rows), torch.split(lengths, rows), strict=True)
    ]
    return torch.cat(parts).numpy() if parts else np.zeros((0, values.shape[1] * n_quantiles(length)), np.float32)


@cache
def n_quantiles(length: int) -> int:
    """The number of quantiles of one channel of this length."""
    return _quantiles(torch.zeros(1, 1, length)).shape[1]


def stretched(values: Tensor, lengths: Tensor, length: int) -> Tensor:
    """``(B, C, length)``: each series stretched to `length` steps, on the lines between its own."""
    if values.shape[2] == length and bool((lengths == length).all()):
        return values
    last = (lengths - 1).clamp(min=0)
    place = torch.linspace(0, 1, length, dtype=torch.float64) * last[:, None]
    low = place.floor().long()
    share = (place - low).float()[:, None]
    low, high = (at[:, None].expand(-1, values.shape[1], -1) for at in (low, torch.minimum(low + 1, last[:, None])))
    return torch.lerp(values.gather(2, low), values.gather(2, high), share)


def intervals(length: int) -> list[tuple[int, int]]:
    """Begin and end of the dyadic intervals of `length` steps, and of those that lie between two of them."""
    found = []
    for parts in (2**power for power in range(min(DEPTH, length.bit_length()))):
        edges = np.linspace(0, length, parts + 1).astype(int)
        own = list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
        found += own
        if parts > 1 and np.median(np.diff(edges)) > 1:
            shift = -(-length // (2 * parts))
            found += [(begin + shift, min(end + shift, length)) for begin, end in own[:-1]]
    return found


def _quantiles(values: Tensor) -> Tensor:
    """``(B, C * Q)`` of series of one length."""
    parts = [
        quantiles(shown[..., begin:end])
        for shown in _representations(values)
        for begin, end in intervals(shown.shape[2])
    ]
    return torch.cat(parts, dim=2).flatten(1)


def _representations(values: Tensor) -> Iterator[Tensor]:
    """The series, its smoothed first differences, its second differences, and the size of its spectrum."""
    yield values
    if values.shape[2] > 1:
        reach = SMOOTHED // 2
        yield functional.avg_pool1d(functional.pad(values.diff(), (reach, reach), "replicate"), SMOOTHED, 1)
    if values.shape[2] > 2:
        yield values.diff(n=2)
    yield torch.fft.rfft(values).abs()


def quantiles(part: Tensor) -> Tensor:
    """``(B, C, q)`` evenly spaced quantiles of intervals ``(B, C, m)``; the median of fewer than five steps."""
    steps = part.shape[2]
    count = min(1 + (steps - 1) // STEPS_PER_QUANTILE, MOST_QUANTILES)
    places = torch.linspace(0, steps - 1, count) if count > 1 else torch.tensor([(steps - 1) / 2])
    # NumPy sorts 4 to 20 times as fast as torch on a CPU with vector instructions.
    ordered = torch.from_numpy(np.sort(part.numpy(), axis=2))
    low = places.floor().long()
    found = torch.lerp(ordered[..., low], ordered[..., (low + 1).clamp(max=steps - 1)], places - low)
    found[..., 1::2] -= part.mean(dim=2, keepdim=True)
    return found

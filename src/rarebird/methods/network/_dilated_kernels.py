"""Random kernels of nine steps at doubled dilations, the series, differences and channels that they see, and their
outputs."""

# Shape legend: B batch, C channels, T steps, D dilations, G groups, K kernels of a group, W kernel width.

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from rarebird.methods.network._layers import mask_of

if TYPE_CHECKING:
    from rarebird.slots.protocols import Inputs

WIDTH = 9
MOST_MIXED = 9  # Largest number of channels that a group sees.
ROWS = 256  # whose features are computed at once


def with_differences(x: Inputs) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """``(B, C, T)`` the series and their differences, both 0 beyond a series' end, and the lengths ``(B,)``."""
    values, lengths = x["values"].float(), x["lengths"]
    beyond = ~mask_of(lengths, values.shape[2])[:, None]
    values = values.masked_fill(beyond, 0)
    # Padded in front, so that a series of one step has a difference, too, which is 0. The difference of the last step
    # to the padding is none of its own.
    differences = functional.pad(values.diff(dim=2), (1, 0)).masked_fill(beyond, 0)
    return (values, differences), lengths


def embedded_rows(network: Any, x: Inputs, width: int) -> Tensor:
    """``(n, width)`` the frozen features of all rows, on the CPU, computed in blocks on the network's device.

    Args:
        network: Has ``embed`` and the buffer ``mean``.
        x: The rows.
        width: How many features there are.
    """
    n, device = len(x["lengths"]), network.mean.device
    embedded = torch.empty(n, width)
    for start in range(0, n, ROWS):
        block = {name: part[start : start + ROWS].to(device) for name, part in x.items()}
        embedded[start : start + ROWS] = network.embed(block)["embedded"].cpu()
    return embedded


def drawn_rows(counts: Tensor, draws: Tensor) -> Tensor:
    """The positions of rows that draws in 0..1 choose, each as likely as the ``counts (n,)`` rows it counts for."""
    ends = counts.double().cumsum(0) / counts.double().sum()
    return torch.searchsorted(ends, draws.to(ends.device)).clamp(max=len(counts) - 1)


def doubled_dilations(length: int) -> list[int]:
    """1, 2, 4, ... up to the largest with which a kernel fits into a series of `length` steps."""
    return [2**power for power in range(1 + int(math.log2(max((length - 1) / (WIDTH - 1), 1))))]


def drawn_kernels(dilations: int, groups: int, kernels: int) -> Tensor:
    """``(D, G, K, W)`` normal weights of mean zero, whose absolute values sum to 1 in each kernel."""
    weights = torch.randn(dilations, groups, kernels, WIDTH)
    weights = weights - weights.mean(dim=3, keepdim=True)
    return weights / weights.abs().sum(dim=3, keepdim=True)


def drawn_mixtures(dilations: int, groups: int, channels: int) -> Tensor:
    """``(D, G, C)`` bool, the channels whose sum a group sees: from one to nine, small numbers more often (ROCKET's
    rule)."""
    count = torch.exp2(torch.rand(dilations, groups, 1) * math.log2(min(channels, MOST_MIXED) + 1)).floor()
    return torch.rand(dilations, groups, channels).argsort(dim=2) < count


def convolved(mixed: Tensor, weights: Tensor, dilation: int) -> Tensor:
    """Dilated convolutions of the same length as the series, ``(G, B, T), (G, K, W) -> (G, K, B, T)``.

    As one product of matrices: ten times as fast on CPUs as torch's dilated convolution of single channels.
    """
    groups, batch, steps = mixed.shape
    reach = weights.shape[2] // 2 * dilation
    padded = functional.pad(mixed, (reach, reach)).contiguous()
    at_group, at_row, at_step = padded.stride()
    windows = padded.as_strided(
        (groups, weights.shape[2], batch, steps), (at_group, dilation * at_step, at_row, at_step)
    )
    return torch.bmm(weights, windows.flatten(2)).view(groups, -1, batch, steps)

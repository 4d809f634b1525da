"""MultiRocket's features: 84 fixed kernels at many dilations, each pooled by four statistics at a few thresholds.

Tan, Dempster, Bergmeir and Webb, "MultiRocket: multiple pooling operators and transformations for fast and effective
time series classification", Data Mining and Knowledge Discovery 2022. A kernel of nine steps has the weight 2 at three
of them and -1 at the others. For each threshold it gives, over the steps where its output is above the threshold, their
share, the mean excess, the mean position, and the longest run.

NOTE[DIFF]: positions and runs are shares of a series' own length, and excesses are taken from the threshold, so that
series of unequal lengths have comparable features, and an output that is never above the threshold gives zeros
(position: the middle). With many channels, twelve mixtures of channels are drawn for each dilation, and seven kernels
share one, where MultiRocket draws channels for each kernel.
"""

# Shape legend: B batch, C channels, T steps, D dilations, G groups, K kernels of a group, M thresholds of a kernel.

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from rarebird.methods.network._dilated_kernels import WIDTH, drawn_mixtures, drawn_rows

HEAVY = 3
KERNELS = tuple(combinations(range(WIDTH), HEAVY))  # the places of the weight 2
STATISTICS = 4
MOST_DILATIONS = 32
# Numbers of groups of kernels: by their padding alone, or with a mixture of channels each.
PADDINGS, MIXTURES = 2, 12
# Thresholds (of all rows of a block) whose states fit into a CPU's caches together, and those that fill a GPU; and most
# outputs of a block.
CPU_LANES, GPU_LANES, MOST_CELLS = 2**15, 2**22, 2**24
BEYOND = -1e30  # an output beyond a series' end: below every threshold


class MultiRocketBank(nn.Module):
    """Frozen kernels and their thresholds: ``values (B, C, T), lengths (B,) -> (B, width)``.

    Args:
        channels, length: Of the series.
        kernels: About how many thresholds all kernels have together; each gives four features.
    """

    mixtures: Tensor
    thresholds: Tensor
    draws: Tensor

    def __init__(self, channels: int, length: int, kernels: int) -> None:
        super().__init__()
        self.length = length
        self.dilations, self.counts = dilations_of(length, max(kernels // len(KERNELS), 1))
        self.groups = PADDINGS if channels == 1 else MIXTURES
        self.register_buffer("mixtures", drawn_mixtures(len(self.dilations), self.groups, channels))
        self.register_buffer("thresholds", torch.zeros(sum(self.counts), len(KERNELS)))
        self.register_buffer(
            "draws", torch.rand(len(self.dilations), len(KERNELS), dtype=torch.float64), persistent=False
        )
        self.width = STATISTICS * self.thresholds.numel()

    @torch.no_grad()
    def fit(self, values: Tensor, lengths: Tensor, counts: Tensor) -> None:
        """Take the thresholds from outputs for training rows: for each kernel and dilation, quantiles of one row.

        Args:
            values: ``(n, C, T)``, 0 beyond a series' end.
            lengths: ``(n,)``.
            counts: ``(n,)`` how many rows each row counts for: how likely it is drawn.
        """
        shares = torch.from_numpy(golden(self.thresholds.numel())).view(len(KERNELS), -1).T
        start = 0
        for place, count in enumerate(self.counts):
            rows = drawn_rows(counts, self.draws[place])
            for group in range(self.groups):
                own = torch.arange(group, len(KERNELS), self.groups)
                shifted = self._shifted(values[rows[own]], place, group)
                heavy = torch.tensor([KERNELS[kernel] for kernel in own])
                lanes = torch.arange(len(own))
                out = 3 * sum(shifted[heavy[:, part], :, lanes] for part in range(HEAVY)) - shifted.sum(dim=0).T
                for lane, kernel in enumerate(own.tolist()):
                    inside = out[lane, : int(lengths[rows[kernel]])].double()
                    quantiles = torch.quantile(inside, shares[start : start + count, kernel].to(inside.device))
                    self.thresholds[start : start + count, kernel] = quantiles.float()
            start += count

    def forward(self, values: Tensor, lengths: Tensor) -> Tensor:
        found, start, steps = [], 0, values.shape[2]
        for place, (dilation, count) in enumerate(zip(self.dilations, self.counts, strict=True)):
            reach = WIDTH // 2 * dilation
            for group in range(self.groups):
                # Every other kernel is pooled only over the steps that it sees in full.
                margin = reach if (place + group) % 2 and self.length > 2 * reach else 0
                thresholds = self.thresholds[start : start + count, group :: self.groups]
                lanes = (GPU_LANES if values.is_cuda else CPU_LANES) // thresholds.numel()
                rows = max(1, min(lanes, MOST_CELLS // (steps * thresholds.shape[1])))
                parts = zip(torch.split(values, rows), torch.split(lengths, rows), strict=True)
                pools = [pooled(self._outputs(part, place, group), thresholds, own, margin) for part, own in parts]
                found.append(torch.cat(pools))
            start += count
        return torch.cat(found, dim=1)

    def _outputs(self, values: Tensor, place: int, group: int) -> Tensor:
        """``(T, K, B)`` outputs of a group's kernels at one dilation.

        They are sums of shifted series, in the same order for any batch: rounding errors decide ties.
        """
        shifted = self._shifted(values, place, group)
        light, three = shifted.sum(dim=0), 3 * shifted
        kernels = KERNELS[group :: self.groups]
        out = torch.empty(light.shape[0], len(kernels), light.shape[1], device=values.device)
        for kernel, (first, second, third) in enumerate(kernels):
            torch.sub(three[first] + three[second] + three[third], light, out=out[:, kernel])
        return out

    def _shifted(self, values: Tensor, place: int, group: int) -> Tensor:
        """``(9, T, B)`` the series of the group's mixture, shifted to each of a kernel's places."""
        mixed = values[:, self.mixtures[place, group]].sum(dim=1).T
        steps, dilation = len(mixed), self.dilations[place]
        reach = WIDTH // 2 * dilation
        padded = functional.pad(mixed, (0, 0, reach, reach)).contiguous()
        return torch.stack([padded[shift * dilation : shift * dilation + steps] for shift in range(WIDTH)])


def pooled(out: Tensor, thresholds: Tensor, lengths: Tensor, margin: int) -> Tensor:
    """``(B, 4 * M * K)`` statistics of outputs ``(T, K, B)`` above thresholds ``(M, K)``.

    Args:
        out: Outputs; a step of all series is contiguous, so that one pass over the steps updates all statistics.
        thresholds: Of each kernel.
        lengths: ``(B,)`` steps of each series.
        margin: Steps at both ends that do not count.
    """
    steps, kernels, batch = out.shape
    own = (lengths - 2 * margin).clamp(min=0)
    if int(own.min()) < steps - 2 * margin:
        beyond = torch.arange(steps, device=out.device)[:, None] >= lengths - margin
        out = out.masked_fill(beyond[:, None], BEYOND)
    level = thresholds[:, :, None].expand(-1, -1, batch).reshape(len(thresholds), -1).contiguous()
    count, total, position, run, longest = (torch.zeros_like(level) for _ in range(5))
    above = torch.empty_like(level)
    for step, now in enumerate(out.flatten(1)[margin : steps - margin]):
        torch.gt(now, level, out=above)
        count += above
        total.addcmul_(above, now)
        position.add_(above, alpha=step)
        torch.addcmul(above, run, above, out=run)
        torch.maximum(longest, run, out=longest)
    share = own.clamp(min=1).repeat(kernels).to(level.dtype)
    some = count.clamp(min=1)
    middle = torch.where(count > 0, position / some / share, 0.5)
    excess = (total / some - level) * (count > 0)
    features = torch.stack([count / share, excess, middle, longest / share])
    return features.view(-1, batch).T


def dilations_of(length: int, per_kernel: int) -> tuple[list[int], list[int]]:
    """The dilations for series of this length, and the number of thresholds of a kernel at each.

    The dilations are evenly spaced on a logarithmic scale, up to the largest with which a kernel fits into the series;
    small ones are integers that come several times, and get as many thresholds.
    """
    most = min(per_kernel, MOST_DILATIONS)
    exponent = math.log2(max((length - 1) / (WIDTH - 1), 1))
    dilations, times = np.unique(np.logspace(0, exponent, most, base=2).astype(np.int64), return_counts=True)
    counts = (times * (per_kernel / most)).astype(np.int64)
    for place in range(per_kernel - int(counts.sum())):
        counts[place % len(counts)] += 1
    return dilations.tolist(), counts.tolist()


def golden(n: int) -> np.ndarray:
    """``(n,)`` shares in 0..1 that cover it evenly at every length: multiples of the golden ratio, modulo 1."""
    shares: np.ndarray = np.arange(1, n + 1) * ((math.sqrt(5) + 1) / 2) % 1
    return shares

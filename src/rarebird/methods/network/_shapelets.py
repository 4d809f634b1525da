"""Dilated shapelets: pieces of the training series; how near a series comes to each, where, and how often.

Guillaume, Vrain and Elloumi, "Random dilated shapelet transform: a new approach for time series shapelets", ICPRAI
2022. A shapelet is nine steps of a training series, some steps apart. Its features are the distance of the nearest
window of a series, that window's place, and the share of windows that are nearer than a threshold.

NOTE[DIFF]: shapelets and thresholds are drawn without labels (the paper takes a threshold from a row of the same
class); half of the shapelets, in place of a fifth, are compared by shape alone: without their level and spread. With
many channels, each group of shapelets sees one of them. Places and shares are those of a series' own windows.
"""

# Shape legend: B batch, C channels, T steps, D dilations, G groups, K shapelets of a group, W width, P windows.

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from rarebird.methods.network._dilated_kernels import WIDTH, doubled_dilations, drawn_rows

STATISTICS = 3
# Groups of shapelets that see a channel each, where there are many.
GROUPS = 8
# A threshold is a quantile of the distances to the windows of another row: at this share of them, or between.
NEAREST, FARTHER = 0.03, 0.13
# Smallest spread of a window whose shape is compared: flat windows have no shape.
FLAT = 1e-2
# Distances that differ by less than this share of the shapelet's size are equal, whatever the rounding errors: of
# several nearest windows the first counts.
TIED = 1e-4
# Distances computed at once: as many as fit into a CPU's caches, or enough to fill a GPU.
CPU_CELLS, GPU_CELLS = 2**20, 2**26
BEYOND = 1e30


class ShapeletBank(nn.Module):
    """Shapelets and their thresholds: ``values (B, C, T), lengths (B,) -> (B, width)``.

    Args:
        channels, length: Of the series.
        count: About how many shapelets.

    Attributes:
        origins: ``(width,)`` the training row from which the shapelet of each feature was taken; -1 before `fit`.
    """

    shapelets: Tensor
    thresholds: Tensor
    channel: Tensor
    draws: Tensor
    origins: Tensor

    def __init__(self, channels: int, length: int, count: int) -> None:
        super().__init__()
        self.length, self.dilations = length, doubled_dilations(length)
        groups = 1 if channels == 1 else GROUPS
        # Of each dilation, the second half of the groups is compared by shape alone.
        shape = (len(self.dilations), 2 * groups, max(count // (2 * groups * len(self.dilations)), 1))
        self.register_buffer("shapelets", torch.zeros(*shape, WIDTH))
        self.register_buffer("thresholds", torch.zeros(shape))
        self.register_buffer("channel", torch.randint(channels, shape[:2]))
        self.register_buffer("draws", torch.rand(4, *shape, dtype=torch.float64), persistent=False)
        self.width = STATISTICS * self.thresholds.numel()
        self.register_buffer("origins", torch.full((self.width,), -1), persistent=False)

    @torch.no_grad()
    def fit(self, values: Tensor, lengths: Tensor, counts: Tensor) -> None:
        """Draw the shapelets from training rows, and their thresholds from their distances to another row.

        Args:
            values: ``(n, C, T)``, 0 beyond a series' end.
            lengths: ``(n,)``.
            counts: ``(n,)`` how many rows each row counts for: how likely it is drawn.
        """
        origin, place, other, share = self.draws
        origin, other = drawn_rows(counts, origin), drawn_rows(counts, other)
        quantile = (NEAREST + (FARTHER - NEAREST) * share).float()
        for at, dilation in enumerate(self.dilations):
            room = rooms(lengths, dilation)
            for group in range(self.channel.shape[1]):
                rows, others = origin[at, group], other[at, group]
                windows, by_shape = self._windows(values, at, group), self._by_shape(group)
                taken = windows[:, rows, (place[at, group] * room[rows]).long()].T
                if by_shape:
                    taken = (taken - taken.mean(dim=1, keepdim=True)) / _spread(taken, 1).unsqueeze(1)
                self.shapelets[at, group] = taken
                windows = windows[:, others]
                products = torch.einsum("kw,wkp->kp", taken, windows)
                distances = squared_distances(windows, products, taken.square().sum(dim=1)[:, None], by_shape)
                self.thresholds[at, group] = _quantiles(distances, room[others], quantile[at, group])
        self.origins = origin.unsqueeze(2).expand(-1, -1, STATISTICS, -1).flatten()

    def forward(self, values: Tensor, lengths: Tensor) -> Tensor:
        cells = GPU_CELLS if values.is_cuda else CPU_CELLS
        rows = max(1, cells // (self.shapelets.shape[2] * values.shape[2]))
        parts = zip(torch.split(values, rows), torch.split(lengths, rows), strict=True)
        return torch.cat([self._features(part, own) for part, own in parts])

    def _features(self, values: Tensor, lengths: Tensor) -> Tensor:
        """``(B, width)`` of a block of rows."""
        found = []
        for at, dilation in enumerate(self.dilations):
            room = rooms(lengths, dilation)
            for group in range(self.channel.shape[1]):
                windows, shapelets = self._windows(values, at, group), self.shapelets[at, group]
                products = (shapelets @ windows.flatten(1)).view(-1, *windows.shape[1:])
                sizes = shapelets.square().sum(dim=1)[:, None, None]
                distances = squared_distances(windows, products, sizes, self._by_shape(group))
                steps = torch.arange(windows.shape[2], device=values.device)
                if int(room.min()) < len(steps):
                    distances.masked_fill_(steps >= room[:, None], BEYOND)
                slack = TIED * sizes
                least = distances.amin(dim=2, keepdim=True)
                first = torch.where(distances <= least + slack, steps, len(steps)).amin(dim=2)
                near = (distances <= self.thresholds[at, group][:, None, None] + slack).sum(dim=2)
                found += [least[..., 0].sqrt(), first / room, (near / room).sqrt()]
        return torch.cat(found).T

    def _windows(self, values: Tensor, at: int, group: int) -> Tensor:
        """``(W, B, P)`` all windows of the group's channel at one dilation, without a copy; one at least."""
        dilation = self.dilations[at]
        reach = (WIDTH - 1) * dilation
        own = values[:, int(self.channel[at, group])]
        own = functional.pad(own, (0, max(0, reach + 1 - own.shape[1]))).contiguous()
        shape = (WIDTH, len(own), own.shape[1] - reach)
        return own.as_strided(shape, (dilation, own.shape[1], 1))

    def _by_shape(self, group: int) -> bool:
        return group >= self.channel.shape[1] // 2


def rooms(lengths: Tensor, dilation: int) -> Tensor:
    """``(B,)`` windows that lie within each series; of a shorter one the first counts, which reaches beyond its end."""
    return (lengths - (WIDTH - 1) * dilation).clamp(min=1)


def squared_distances(windows: Tensor, products: Tensor, sizes: Tensor, by_shape: bool) -> Tensor:
    """Squared Euclidean distances of windows from shapelets, of the products' shape.

    Args:
        windows: ``(W, ...)``.
        products: ``(K, ...)`` or of one shapelet for each window: those of shapelets and windows.
        sizes: The shapelets' squares, summed; to be broadcast.
        by_shape: Whether windows are compared without their mean and spread; the shapelets' mean is 0 then, so that a
            window's mean has no part in their product.
    """
    if not by_shape:
        return (windows.square().sum(dim=0) + sizes - 2 * products).clamp_(min=0)
    spread = _spread(windows, 0)
    own = len(windows) * (windows.var(dim=0, unbiased=False) / spread.square())
    return (own + sizes - 2 * products / spread).clamp_(min=0)


def _spread(windows: Tensor, dim: int) -> Tensor:
    """The standard deviation of each window, at least `FLAT`."""
    return windows.var(dim=dim, unbiased=False).sqrt().clamp(min=FLAT)


def _quantiles(distances: Tensor, room: Tensor, shares: Tensor) -> Tensor:
    """``(K,)`` of each row of distances ``(K, P)``, of which the first ``room (K,)`` count, the quantile at its share
    ``(K,)``."""
    beyond = torch.arange(distances.shape[1], device=distances.device) >= room[:, None]
    ordered = distances.masked_fill(beyond, BEYOND).sort(dim=1).values
    place = shares * (room - 1)
    low = place.floor().long()
    high = torch.minimum(low + 1, room - 1)
    found = torch.lerp(ordered.gather(1, low[:, None]), ordered.gather(1, high[:, None]), (place - low)[:, None])
    return found[:, 0]

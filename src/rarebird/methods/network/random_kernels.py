"""Random kernels for series: frozen random convolutions, pooled to statistics, and a trained linear head.

The family of Dempster, Schmidt and Webb: "ROCKET", Data Mining and Knowledge Discovery 2020; MultiRocket (Tan,
Dempster, Bergmeir and Webb, DMKD 2022); "Hydra: competing convolutional kernels for fast and accurate time series
classification", DMKD 2023. Kernels of nine random weights, at dilations 1, 2, 4, ... up to the series' length, run over
the series and over its differences. Each row gives, per kernel:

- Hydra's counts within groups of kernels: the sum of its outputs where they are the largest of its group, and the
  number of steps where its output is the smallest;
- the share of steps where its output is above a threshold, as in (Multi)Rocket: one in units of its own spread, and one
  on an absolute scale;
- the spread of its outputs.

The features are standardized, and only a linear head learns.

*Helps when* series are few: only the head can overfit, and it trains in seconds. The best cheap method on UCR data.

*Does not help when* there are many thousands of rows, from which kernels can be learned, or the moment in time matters:
every statistic is taken over the whole series.

Cost: about ``groups * kernels * steps * dilations * 100`` operations per row, once; the head sees 7,680 features of a
series of 500 steps. The head is a convex problem: SGD reaches its optimum in some hundred steps, at a learning rate of
1 and with a weight decay of 3e-4, ``optimizer={name=sgd, learning_rate=1.0, weight_decay=3e-4}``.

NOTE[DIFF]: thresholds are normal quantiles, in units of each output's own spread and of white noise's, where
MultiRocket takes quantiles of the training rows' outputs: the features do not depend on training rows. Its other
statistics (means and positions of outputs above the threshold) are left out: they did not improve out-of-fold results.
Sums are shares of a series' own length. All go through a square root, and features are standardized by the mean and
deviation of all batches seen in training, as Hydra's scaler does with the training rows. A softmax head in place of
ridge regression, so that losses, weights and soft targets work.
"""

# Shape legend: B batch, C channels, T steps, G groups, K kernels of a group, W kernel width, F features.

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from rarebird.methods.network._dilated_kernels import convolved, doubled_dilations, drawn_kernels, drawn_mixtures
from rarebird.methods.network._layers import HeadedNetwork, mask_of
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float, Int

if TYPE_CHECKING:
    from rarebird.data.spec import InputSpec
    from rarebird.slots.protocols import Inputs

KINDS = ("series",)
STATISTICS = 5  # Features per kernel.
# Spread of a kernel's outputs on white noise of deviation 1.
NOISE_SPREAD = 0.4
FAINT = 1e-3  # Spreads and deviations below this are noise, as values have a scale of 1.
FARTHEST = 8.0  # Standardized features are clipped to this size.
# Outputs computed at once: as many as fit into a CPU's caches, or enough to fill a GPU.
CPU_CELLS, GPU_CELLS = 2**19, 2**26
BLOCK = 512  # rows whose statistics are computed at once


class RandomKernels(Method):
    """Settings of random kernels.

    Attributes:
        groups: Groups of competing kernels per dilation, for the series and for its differences each.
        kernels: Kernels of a group.
        dropout: Rate for the features, before the head.
    """

    groups: Annotated[int, Int(8, 64, log=True)] = Field(default=16, ge=1, le=1024)
    kernels: Annotated[int, Int(4, 16, log=True)] = Field(default=8, ge=2, le=256)
    dropout: Annotated[float, Float(0, 0.6)] = Field(default=0.0, ge=0, lt=1)

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(groups=4, kernels=4), cls(groups=3, kernels=2, dropout=0.2)]

    def build(self, spec: InputSpec) -> nn.Module:
        """The network for series of `spec`'s channels; it takes any length from 1 step."""
        return RandomKernelNetwork(self, spec)


class RandomKernelNetwork(HeadedNetwork):
    """Two banks of kernels, standardization, head. ``embed(x)`` is the frozen part: ``{"embedded": (B, F)}``."""

    def __init__(self, settings: RandomKernels, spec: InputSpec) -> None:
        super().__init__()
        self.values = KernelBank(spec.channels, spec.length, settings.groups, settings.kernels)
        self.differences = KernelBank(spec.channels, spec.length, settings.groups, settings.kernels)
        width = self.values.width + self.differences.width
        self.standardize = RunningStandardize(width)
        self.dropout = nn.Dropout(settings.dropout)
        self.head = nn.Linear(width, spec.n_outputs)

    @torch.no_grad()
    def fit_frozen(self, x: Inputs, counts: Tensor) -> Inputs:
        """Take the scales from the training rows, of which each counts for so many, and return their statistics."""
        device = self.standardize.mean.device
        found = [
            self.embed({"values": values.to(device), "lengths": lengths.to(device)})["embedded"].cpu()
            for values, lengths in zip(torch.split(x["values"], BLOCK), torch.split(x["lengths"], BLOCK), strict=True)
        ]
        embedded = torch.cat(found)
        self.standardize.observe(embedded.to(device), counts.to(device, torch.float32))
        return {"embedded": embedded}

    @torch.no_grad()
    def embed(self, x: Inputs) -> Inputs:
        """The statistics of all kernels, always in float32: rounding errors of bfloat16 would change which output is
        largest."""
        if "embedded" in x:
            return x
        values, lengths = x["values"], x["lengths"]
        with torch.autocast(values.device.type, enabled=False):
            values = values.float()
            # Padded in front, so that a series of one step has a difference, too, which is 0.
            differences = functional.pad(values.diff(dim=2), (1, 0))
            found = [self.values(values, lengths), self.differences(differences, lengths)]
        return {"embedded": torch.cat(found, dim=1)}

    def features(self, x: Inputs) -> Tensor:
        embedded = self.embed(x)["embedded"]
        # Rows have about unit length, so that rates and decay mean the same for any number of features.
        scaled: Tensor = self.dropout(self.standardize(embedded)) * embedded.shape[1] ** -0.5
        return scaled


class KernelBank(nn.Module):
    """Frozen kernels at all dilations, ``values (B, C, T), lengths (B,) -> (B, width)``.

    A group sees the sum of a few channels. A kernel's weights have mean zero and absolute values that sum to 1.
    """

    weights: Tensor
    channels: Tensor
    thresholds: Tensor

    def __init__(self, channels: int, length: int, groups: int, kernels: int) -> None:
        super().__init__()
        self.dilations = doubled_dilations(length)
        self.width = STATISTICS * len(self.dilations) * groups * kernels
        self.register_buffer("weights", drawn_kernels(len(self.dilations), groups, kernels))
        self.register_buffer("channels", drawn_mixtures(len(self.dilations), groups, channels).float())
        self.register_buffer("thresholds", torch.special.ndtri((torch.arange(kernels) + 0.5) / kernels).repeat(groups))

    def forward(self, values: Tensor, lengths: Tensor) -> Tensor:
        cells = GPU_CELLS if values.is_cuda else CPU_CELLS
        rows = max(1, cells // (self.weights[0, ..., 0].numel() * values.shape[2]))
        parts, dilations = [], range(len(self.dilations))
        for part, own in zip(torch.split(values, rows), torch.split(lengths, rows), strict=True):
            inside = mask_of(own, values.shape[2])
            masked = part * inside[:, None]
            parts.append(torch.cat([self._statistics(masked, inside, place) for place in dilations], dim=1))
        return torch.cat(parts)

    def _statistics(self, values: Tensor, inside: Tensor, place: int) -> Tensor:
        """``(B, STATISTICS * G * K)`` of one dilation."""
        mixed = torch.einsum("gc,bct->gbt", self.channels[place], values)
        out = convolved(mixed, self.weights[place], self.dilations[place])  # (G, K, B, T)
        outside = None if bool(inside.all()) else ~inside
        own = inside.sum(dim=1)
        largest, smallest = out.amax(dim=1, keepdim=True), out.amin(dim=1, keepdim=True)
        wins, losses = out * (out == largest), (out == smallest).float()
        if outside is not None:
            out = out.masked_fill(outside, 0)
            wins, losses = wins.masked_fill(outside, 0), losses.masked_fill(outside, 0)
        out = out.flatten(0, 1)  # (G * K, B, T)
        spread = (out.square().sum(dim=2) / own).sqrt()
        counts = [wins.sum(dim=3).flatten(0, 1), losses.sum(dim=3).flatten(0, 1)]
        for unit in (spread, torch.full_like(spread, NOISE_SPREAD)):
            above = (out > (self.thresholds[:, None] * unit)[:, :, None]).float()
            counts.append((above if outside is None else above.masked_fill(outside, 0)).sum(dim=2))
        return torch.cat([*((count.clamp(min=0) / own).sqrt() for count in counts), (spread + FAINT).log()]).T


class RunningStandardize(nn.Module):
    """``(B, F)`` to mean 0 and deviation 1 over all rows seen in training, independent of their order in batches.

    Unlike batch normalization, it uses the same statistics in training and evaluation: after a frozen part they hardly
    change after one epoch, and small batches add no noise.
    """

    count: Tensor
    mean: Tensor
    square: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("square", torch.ones(width))

    @torch.no_grad()
    def observe(self, rows: Tensor, counts: Tensor | None = None) -> None:
        """Update the means of the features and of their squares with new rows, of which each counts for one or for
        `counts` ``(B,)``."""
        n = len(rows) if counts is None else float(counts.sum())
        self.count += n
        mean, square = (part.mean(dim=0) if counts is None else counts @ part / n for part in (rows, rows.square()))
        self.mean.lerp_(mean, n / self.count)
        self.square.lerp_(square, n / self.count)

    def forward(self, rows: Tensor) -> Tensor:
        if self.training:
            self.observe(rows.detach())
        deviation = (self.square - self.mean.square()).clamp(min=0).sqrt()
        scale = 1 / (deviation + FAINT)
        return torch.addcmul(-self.mean * scale, rows, scale).clamp(-FARTHEST, FARTHEST)

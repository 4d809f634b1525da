"""InceptionTime for series: convolutions of several lengths side by side, six modules deep, with residual shortcuts.

Ismail Fawaz et al., "InceptionTime: Finding AlexNet for Time Series Classification", Data Mining and Knowledge
Discovery 2020. A module narrows its input to `width` channels, convolves it with kernels of 39, 19 and 9 steps, adds a
pooled branch, and concatenates the four; after every third module a shortcut is added. The head sees the mean over
time, or a learned weighted mean (Ilse, Tomczak and Welling, ICML 2018).

*Helps when* classes differ in a shape of unknown length, anywhere in the series.

*Does not help when* there are only a few rows, or the moment in time matters: the mean over time ignores it.

Cost: about ``75 * depth * width ** 2`` multiplications per step forward. Defaults are the paper's (depth 6, width 32),
not tuned to a data set.

NOTE[DIFF]: one network where the paper averages five; odd kernels, so that they are centered (the paper's are 40, 20,
10), and none longer than the series of training; steps beyond a series' own length are zero in every layer and not part
of the mean, so that padding changes nothing; optional stochastic depth (Huang et al., ECCV 2016) of the modules that a
shortcut skips.
"""

# Shape legend: B batch, C channels, T steps. Series are pictures of one line, (B, C, 1, T), with channels last: on CPUs
# the long kernels are then about twice as fast as one-dimensional convolutions, and four times in bfloat16.

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from rarebird.methods.network._layers import DropPath, HeadedNetwork, Pooling, mask_of, pooling_of
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Choice, Float, Int

if TYPE_CHECKING:
    from rarebird.data.spec import InputSpec
    from rarebird.slots.protocols import Inputs

KINDS = ("series",)
RESIDUAL_EVERY = 3


class InceptionTime(Method):
    """Settings of InceptionTime.

    Attributes:
        depth: Inception modules.
        width: Channels of each of a module's four branches.
        kernel: Steps of the longest kernel, odd; the others are about a half and a quarter of it.
        dropout: Rate before the head.
        stochastic_depth: Probability of skipping the modules of the last shortcut; it grows linearly from the first
            shortcut on.
        pooling: The ``mean`` over a series' steps, or a learned weighted mean (``attention``), for events that happen
            only once in a long series.
    """

    depth: Annotated[int, Int(3, 9)] = Field(default=6, ge=1, le=24)
    width: Annotated[int, Int(8, 64, log=True)] = Field(default=32, ge=2, le=256)
    kernel: Annotated[int, Choice(19, 39, 79)] = Field(default=39, ge=3, le=999)
    dropout: Annotated[float, Float(0, 0.6)] = Field(default=0.0, ge=0, lt=1)
    stochastic_depth: Annotated[float, Float(0, 0.3)] = Field(default=0.0, ge=0, lt=1)
    pooling: Annotated[Pooling, Choice("mean", "attention")] = "mean"

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(depth=4, width=8, kernel=19, dropout=0.2, stochastic_depth=0.1, pooling="attention")]

    def build(self, spec: InputSpec) -> nn.Module:
        """The network for series of `spec`'s channels; it takes any length from 1 step."""
        kernels = sorted({odd(min(self.kernel // part, spec.length)) for part in (1, 2, 4)}, reverse=True)
        return InceptionNetwork(self, spec, kernels)


def odd(steps: int) -> int:
    """The largest odd number that is not above `steps`, at least 1."""
    return max(steps - (steps + 1) % 2, 1)


class InceptionNetwork(HeadedNetwork):
    """Modules with a shortcut around every third, pooling over each series' own steps, head.

    In training it needs two rows or more, as every batch normalization does; the statistics include the zeros of the
    padding.
    """

    def __init__(self, settings: InceptionTime, spec: InputSpec, kernels: list[int]) -> None:
        super().__init__()
        width, depth = settings.width, settings.depth
        outer = width * (len(kernels) + 1)
        self.modules_in_order, self.shortcuts = nn.ModuleList(), nn.ModuleList()
        start = spec.channels
        for place in range(depth):
            self.modules_in_order.append(InceptionModule(outer if place else spec.channels, width, kernels))
            if (place + 1) % RESIDUAL_EVERY == 0:
                self.shortcuts.append(nn.Sequential(nn.Conv2d(start, outer, 1, bias=False), nn.BatchNorm2d(outer)))
                start = outer
        drops = [
            settings.stochastic_depth * (place + 1) / max(len(self.shortcuts), 1)
            for place in range(len(self.shortcuts))
        ]
        self.drop_paths = nn.ModuleList(DropPath(drop) for drop in drops)
        self.pool = pooling_of(settings.pooling, outer)
        self.dropout = nn.Dropout(settings.dropout)
        self.head = nn.Linear(outer, spec.n_outputs)

    def features(self, x: Inputs) -> Tensor:
        mask = mask_of(x["lengths"], x["values"].shape[2])
        inside = mask[:, None, None, :]
        values = shortcut = x["values"][:, :, None, :] * inside
        for place, module in enumerate(self.modules_in_order):
            values = functional.relu(module(values.contiguous(memory_format=torch.channels_last), inside))
            if (place + 1) % RESIDUAL_EVERY == 0:
                block = place // RESIDUAL_EVERY
                values = shortcut = (
                    functional.relu(self.drop_paths[block](values) + self.shortcuts[block](shortcut)) * inside
                )
            else:
                values = values * inside
        pooled: Tensor = self.dropout(self.pool(values.squeeze(2).transpose(1, 2), mask))
        return pooled


class InceptionModule(nn.Module):
    """``(B, inner, 1, T) -> (B, width * (kernels + 1), 1, T)``, before ReLU."""

    def __init__(self, inner: int, width: int, kernels: list[int]) -> None:
        super().__init__()
        self.bottleneck = nn.Conv2d(inner, width, 1, bias=False) if inner > 1 else nn.Identity()
        narrow = width if inner > 1 else inner
        self.convolutions = nn.ModuleList(
            nn.Conv2d(narrow, width, (1, kernel), padding=(0, kernel // 2), bias=False) for kernel in kernels
        )
        self.pooled = nn.Conv2d(inner, width, 1, bias=False)
        self.norm = nn.BatchNorm2d(width * (len(kernels) + 1))

    def forward(self, values: Tensor, inside: Tensor) -> Tensor:
        narrow = self.bottleneck(values)
        # Padding must not be the maximum.
        highest = functional.max_pool2d(
            values.masked_fill(~inside, torch.finfo(values.dtype).min), (1, 3), stride=1, padding=(0, 1)
        )
        branches = [convolution(narrow) for convolution in self.convolutions] + [
            self.pooled(highest.masked_fill(~inside, 0))
        ]
        normalized: Tensor = self.norm(torch.cat(branches, dim=1))
        return normalized

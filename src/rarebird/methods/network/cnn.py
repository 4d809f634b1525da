"""The classic convolutional network for pictures and series: three blocks of convolution and pooling, a dense layer.

After LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document Recognition", Proceedings of the
IEEE 1998, in today's textbook form: 3x3 convolutions (7 steps for series) of w, 2 w, 4 w channels, each followed by
ReLU and maximum pooling by 2, then a dense layer with dropout (Srivastava et al., JMLR 2014).

*Helps when* a plain, well-known baseline is needed, or positions in the picture matter: the dense layer sees a 4x4 map,
not a mean.

*Does not help when* rows are few and augmentation is weak: the dense layer has most of the weights and memorizes rows.

Cost: about ``9 * width ** 2 * side ** 2`` multiplications per picture forward; 1.2 million weights for all sides.
Defaults are the textbook's (32 channels, dense 512, dropout one half), not tuned to a data set.

NOTE[DIFF]: batch normalization (Ioffe and Szegedy, ICML 2015) before each ReLU unless `norm = "none"`; pooling rounds
up and the last map is averaged to at most 4x4, so that pictures may have any sides from 8 px. Series are pooled over
four parts of each one's own length, so that padding changes nothing.
"""

# Shape legend: B batch, C channels, H W sides, T steps, D width.

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from rarebird.methods.network._channels import ChannelGroup, made_by, read_by
from rarebird.methods.network._layers import (
    AttentionPooling,
    HeadedNetwork,
    Standardize,
    mask_of,
    pool_segments,
    strided,
)
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Choice, Float, Int

if TYPE_CHECKING:
    from rarebird.data.spec import InputSpec
    from rarebird.slots.protocols import Inputs

KINDS = ("image", "series")
BLOCKS = 3
PARTS = 4  # Per axis, of the map that the dense layer sees.
STEPS = 7  # Width of a series' kernels.


class Cnn(Method):
    """Settings of the classic convolutional network.

    Attributes:
        width: Channels of the first block; each block doubles them.
        dense: Width of the dense layer.
        dropout: Rate before the head.
        norm: ``batch`` normalization, or ``none``.
        pooling: For series: means over four ``parts``, which keep positions, or a learned weighted mean
            (``attention``).
    """

    width: Annotated[int, Int(16, 64, log=True)] = Field(default=32, ge=2, le=512)
    dense: Annotated[int, Int(64, 512, log=True)] = Field(default=512, ge=2, le=4096)
    dropout: Annotated[float, Float(0, 0.6)] = Field(default=0.5, ge=0, lt=1)
    norm: Annotated[Literal["batch", "none"], Choice("batch", "none")] = "batch"
    pooling: Annotated[Literal["parts", "attention"], Choice("parts", "attention")] = "parts"

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(width=8, dense=32, dropout=0.0, norm="none", pooling="attention")]

    def build(self, spec: InputSpec) -> nn.Module:
        """The network for pictures of any sides from 8 px, or series of any length from 1 step."""
        if spec.kind == "image":
            return ConvolutionalPictures(spec, self.width, self.dense, self.dropout, self.norm == "batch")
        return ConvolutionalSeries(self, spec)


class ConvolutionalPictures(HeadedNetwork):
    """Standardize, three blocks, mean over at most 4x4 parts, dense, head.

    With batch normalization it needs two rows or more in training.
    """

    def __init__(self, spec: InputSpec, width: int, dense: int, dropout: float, norm: bool) -> None:
        super().__init__()
        self.standardize = Standardize(spec.mean, spec.std)
        layers: list[nn.Module] = []
        for inner, outer in _widths(spec.channels, width):
            layers.append(nn.Conv2d(inner, outer, 3, padding=1, bias=not norm))
            layers += [nn.BatchNorm2d(outer)] if norm else []
            layers += [nn.ReLU(inplace=True), nn.MaxPool2d(2, ceil_mode=True)]
        # A map that is already smaller than 4x4 is not stretched.
        height, wide = (min(PARTS, -(-side // 2**BLOCKS)) for side in (spec.height, spec.width))
        self.blocks = nn.Sequential(*layers, nn.AdaptiveAvgPool2d((height, wide)))
        self.dense = _dense(width * 2 ** (BLOCKS - 1) * height * wide, dense, dropout)
        self.head = nn.Linear(dense, spec.n_outputs)

    def features(self, x: Inputs) -> Tensor:
        dense: Tensor = self.dense(self.blocks(self.standardize(x["pixels"])).flatten(1))
        return dense

    @property
    def feature_map(self) -> str:
        """The last block before it is pooled."""
        return f"blocks.{max(place for place, layer in enumerate(self.blocks) if isinstance(layer, nn.ReLU))}"

    def channel_groups(self) -> list[ChannelGroup]:
        """The channels of each block, and the units of the dense layer."""
        layers = {name: layer for name, layer in self.blocks.named_children() if isinstance(layer, nn.Conv2d)}
        names, dense, groups = list(layers), self.dense[0], []
        assert isinstance(dense, nn.Linear)
        for place, (name, layer) in enumerate(layers.items()):
            norm = f"blocks.{int(name) + 1}" if isinstance(self.blocks[int(name) + 1], nn.BatchNorm2d) else None
            channels = layer.out_channels
            if place + 1 < len(names):
                read = read_by(f"blocks.{names[place + 1]}")
            else:
                read = read_by("dense.0", repeat=dense.in_features // channels)
            groups.append(ChannelGroup(f"block {place + 1}", channels, (*made_by(f"blocks.{name}", norm), *read)))
        return [*groups, dense_group(self.dense)]


class ConvolutionalSeries(HeadedNetwork):
    """Three blocks in one dimension, pooling over each series' own length, dense, head.

    With batch normalization it needs two rows or more in training; the statistics include the zeros of the padding.
    """

    def __init__(self, settings: Cnn, spec: InputSpec) -> None:
        super().__init__()
        norm, outermost = settings.norm == "batch", settings.width * 2 ** (BLOCKS - 1)
        self.convolutions, self.norms = nn.ModuleList(), nn.ModuleList()
        for inner, outer in _widths(spec.channels, settings.width):
            self.convolutions.append(nn.Conv1d(inner, outer, STEPS, padding=STEPS // 2, bias=not norm))
            self.norms.append(nn.BatchNorm1d(outer) if norm else nn.Identity())
        self.attention = AttentionPooling(outermost) if settings.pooling == "attention" else None
        self.dense = _dense(outermost * (PARTS if self.attention is None else 1), settings.dense, settings.dropout)
        self.head = nn.Linear(settings.dense, spec.n_outputs)

    def features(self, x: Inputs) -> Tensor:
        values, lengths = x["values"], x["lengths"]
        values = values * mask_of(lengths, values.shape[2])[:, None, :]
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            found = functional.relu(norm(convolution(values)))
            # After ReLU, zeros act like padding in the maximum and in the next convolution.
            found = found * mask_of(lengths, found.shape[2])[:, None, :]
            values, lengths = functional.max_pool1d(found, 2, ceil_mode=True), strided(lengths, 2)
        if self.attention is None:
            pooled = pool_segments(values, lengths, PARTS).flatten(1)
        else:
            pooled = self.attention(values.transpose(1, 2), mask_of(lengths, values.shape[2]))
        dense: Tensor = self.dense(pooled)
        return dense

    def channel_groups(self) -> list[ChannelGroup]:
        """The channels of each block, and the units of the dense layer."""
        groups = []
        for place, convolution in enumerate(self.convolutions):
            assert isinstance(convolution, nn.Conv1d)
            norm = f"norms.{place}" if isinstance(self.norms[place], nn.BatchNorm1d) else None
            places = made_by(f"convolutions.{place}", norm)
            if place + 1 < len(self.convolutions):
                places += read_by(f"convolutions.{place + 1}")
            else:
                places += read_by("dense.0", repeat=PARTS if self.attention is None else 1)
                places += () if self.attention is None else read_by("attention.score")
            groups.append(ChannelGroup(f"block {place + 1}", convolution.out_channels, places))
        return [*groups, dense_group(self.dense)]


def dense_group(dense: nn.Sequential) -> ChannelGroup:
    """The units of the dense layer, which the head reads."""
    first = dense[0]
    assert isinstance(first, nn.Linear)
    return ChannelGroup("dense", first.out_features, (*made_by("dense.0"), *read_by("head")))


def _widths(channels: int, width: int) -> list[tuple[int, int]]:
    widths = [channels, *(width * 2**block for block in range(BLOCKS))]
    return list(pairwise(widths))


def _dense(inner: int, dense: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inner, dense), nn.ReLU(inplace=True), nn.Dropout(dropout))

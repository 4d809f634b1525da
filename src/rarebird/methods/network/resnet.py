"""Residual convolutional network for pictures; its stem adapts to the size of the pictures.

He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", CVPR 2016: each block adds the output of two 3x3
convolutions to its input, ``x + f(x)``. Depths 8, 14, 20 and 32 have three stages as in the paper's CIFAR networks
(depth 6 n + 2; widths w, 2 w, 4 w); depth 18 has four (w .. 8 w). Pictures with sides up to 32 px keep their
resolution; for larger ones an overlapping patch stem (kernel 2 s - 1, stride s) reduces the longer side to 32 or less.
The head sees the mean and the maximum of each map: a small defect hardly changes a mean.

*Helps when* there are thousands of rows, or hundreds with augmentation; the first network to try on pictures.

*Does not help when* a network pretrained on similar pictures is available, or pictures are so few that only strong
prior knowledge helps.

Cost: about ``9 * depth * width ** 2 * side ** 2`` multiplications per picture forward, at the stem's resolution. The
default is the paper's smallest CIFAR network (n = 1, width 16), not tuned to a data set: with few rows, more epochs and
augmentation help more than depth.

NOTE[DIFF]: the paper's head sees only the mean.

NOTE[DIFF]: shortcuts that change shape are average pooling and a 1x1 convolution, and the last normalization of a
branch starts at zero (He, T. et al., "Bag of Tricks for Image Classification", CVPR 2019); optional stochastic depth
(Huang et al., ECCV 2016), growing with depth.
"""

# Shape legend: B batch, C channels, H W sides, D width of the last stage.

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from rarebird.methods.network._channels import ChannelGroup, Place, made_by, read_by
from rarebird.methods.network._layers import DropPath, HeadedNetwork, Resize, Standardize
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Choice, Float, Int

if TYPE_CHECKING:
    from rarebird.data.spec import InputSpec
    from rarebird.slots.protocols import Inputs

KINDS = ("image",)
BLOCKS = {8: (1, 1, 1), 14: (2, 2, 2), 18: (2, 2, 2, 2), 20: (3, 3, 3), 32: (5, 5, 5)}
FULL_RESOLUTION = 32


class Resnet(Method):
    """Settings of a residual network.

    Attributes:
        depth: Layers with weights on the main path.
        width: Channels of the first stage; each stage doubles them.
        dropout: Rate before the head.
        size: Larger pictures are reduced to this side (at their own ratio); None: they stay as they are.
        stochastic_depth: Probability of skipping the branch of the last block; it grows linearly from the first block
            on.
    """

    depth: Annotated[Literal[8, 14, 18, 20, 32], Choice(8, 14, 20)] = 8
    width: Annotated[int, Int(16, 64, log=True)] = Field(default=16, ge=4, le=512)
    dropout: Annotated[float, Float(0, 0.6)] = Field(default=0.0, ge=0, lt=1)
    stochastic_depth: Annotated[float, Float(0, 0.3)] = Field(default=0.0, ge=0, lt=1)
    size: int | None = Field(default=None, ge=8)

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(depth=14, width=8, dropout=0.2, stochastic_depth=0.1), cls(depth=18, width=8, size=10)]

    def build(self, spec: InputSpec) -> nn.Module:
        """The network for pictures of `spec`'s channels; it takes any sides from 8 px."""
        return ResidualNetwork(spec, BLOCKS[self.depth], self.width, self.dropout, self.stochastic_depth, self.size)


def stem_stride(longer_side: int) -> int:
    """The smallest power of two that reduces a side to `FULL_RESOLUTION` px or less."""
    stride = 1
    while longer_side > FULL_RESOLUTION * stride:
        stride *= 2
    return stride


class ResidualNetwork(HeadedNetwork):
    """Standardize, stem, stages of residual blocks, global mean and maximum, head.

    In training it needs two rows or more, as every batch normalization does.
    """

    feature_map = "blocks"

    def __init__(
        self,
        spec: InputSpec,
        blocks: tuple[int, ...],
        width: int,
        dropout: float,
        stochastic_depth: float,
        size: int | None = None,
    ) -> None:
        super().__init__()
        shrunk = min(1.0, (size or max(spec.height, spec.width)) / min(spec.height, spec.width))
        sides = (max(1, round(spec.height * shrunk)), max(1, round(spec.width * shrunk)))
        self.resize = Resize(*sides) if size is not None else nn.Identity()
        stride = stem_stride(max(sides))
        reach = max(stride - 1, 1)
        self.standardize = Standardize(spec.mean, spec.std)
        self.stem = nn.Sequential(
            nn.Conv2d(spec.channels, width, 2 * reach + 1, stride, padding=reach, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        )
        layers: list[nn.Module] = []
        inner = width
        for stage, repeats in enumerate(blocks):
            for repeat in range(repeats):
                outer = width * 2**stage
                drop = stochastic_depth * (len(layers) + 1) / sum(blocks)
                layers.append(ResidualBlock(inner, outer, 2 if stage and not repeat else 1, drop))
                inner = outer
        self.blocks = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * inner, spec.n_outputs)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def features(self, x: Inputs) -> Tensor:
        pixels = self.standardize(self.resize(x["pixels"]))
        maps = self.blocks(self.stem(pixels))
        pooled: Tensor = self.dropout(torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1))
        return pooled

    def channel_groups(self) -> list[ChannelGroup]:
        """The channels inside each block, and those of each stage, which its shortcuts and all of its blocks share."""
        groups: list[ChannelGroup] = []
        shared: list[Place] = [*made_by("stem.0", "stem.1")]
        stage, channels = 1, self.stem[0].out_channels
        for place, block in enumerate(self.blocks):
            assert isinstance(block, ResidualBlock)
            here = f"blocks.{place}"
            shared += read_by(f"{here}.branch.0")
            if isinstance(block.shortcut, nn.Sequential):  # a new stage begins
                shared += read_by(f"{here}.shortcut.1")
                groups.append(ChannelGroup(f"stage {stage}", channels, tuple(shared)))  # type: ignore[arg-type]
                stage, channels = stage + 1, block.branch[3].out_channels
                shared = [*made_by(f"{here}.shortcut.1", f"{here}.shortcut.2")]
            inner = (*made_by(f"{here}.branch.0", f"{here}.branch.1"), *read_by(f"{here}.branch.3"))
            groups.append(ChannelGroup(f"block {place + 1}", block.branch[0].out_channels, inner))  # type: ignore[arg-type]
            shared += made_by(f"{here}.branch.3", f"{here}.branch.4")
        shared += read_by("head", blocks=2)
        return [*groups, ChannelGroup(f"stage {stage}", channels, tuple(shared))]  # type: ignore[arg-type]


class ResidualBlock(nn.Module):
    """``relu(shortcut(x) + branch(x))``, ``(B, inner, H, W) -> (B, outer, ceil(H / stride), ceil(W / stride))``."""

    def __init__(self, inner: int, outer: int, stride: int, drop: float) -> None:
        super().__init__()
        last = nn.BatchNorm2d(outer)
        nn.init.zeros_(last.weight)
        self.branch = nn.Sequential(
            nn.Conv2d(inner, outer, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(outer),
            nn.ReLU(inplace=True),
            nn.Conv2d(outer, outer, 3, padding=1, bias=False),
            last,
        )
        self.drop_path = DropPath(drop)
        self.shortcut = nn.Identity() if inner == outer and stride == 1 else _projection(inner, outer, stride)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.shortcut(x) + self.drop_path(self.branch(x)))


def _projection(inner: int, outer: int, stride: int) -> nn.Sequential:
    """A shortcut that averages over `stride` pixels per side and changes the number of channels."""
    pool = nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False) if stride > 1 else nn.Identity()
    return nn.Sequential(pool, nn.Conv2d(inner, outer, 1, bias=False), nn.BatchNorm2d(outer))

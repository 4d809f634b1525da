"""The residual network: it starts as its shortcuts, has the published sizes, and its stem keeps the work bounded."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from rarebird.data.spec import InputSpec
from rarebird.methods.network._layers import DropPath
from rarebird.methods.network.resnet import ResidualBlock, Resnet, stem_stride


def pictures(side: int, channels: int = 3, n_outputs: int = 10) -> InputSpec:
    mean, std = (0.5,) * channels, (0.2,) * channels
    return InputSpec(
        kind="image",
        task="classification",
        n_outputs=n_outputs,
        channels=channels,
        height=side,
        width=side,
        mean=mean,
        std=std,
    )


def n_weights(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("training", [True, False])
def test_a_new_block_is_its_shortcut(training: bool) -> None:
    x = torch.randn(4, 8, 6, 7)
    assert torch.equal(ResidualBlock(8, 8, 1, 0.0).train(training)(x), functional.relu(x))


@pytest.mark.parametrize("side", [1, 2, 7, 8, 13])
def test_a_strided_block_rounds_up(side: int) -> None:
    assert ResidualBlock(4, 8, 2, 0.0)(torch.randn(2, 4, side, 8)).shape == (2, 8, -(-side // 2), 4)


def test_a_dropped_branch_leaves_the_shortcut() -> None:
    torch.manual_seed(0)
    block = ResidualBlock(4, 4, 1, 0.5)
    nn.init.ones_(block.branch[-1].weight)
    x = torch.randn(64, 4, 5, 5)
    skipped = (block(x) == functional.relu(x)).flatten(1).all(dim=1)
    assert 16 < int(skipped.sum()) < 48


def test_stochastic_depth_grows_up_to_the_setting() -> None:
    network = Resnet(depth=14, stochastic_depth=0.3).build(pictures(16))
    drops = [module.skip_rate for module in network.modules() if isinstance(module, DropPath)]
    assert drops == pytest.approx([0.05, 0.1, 0.15, 0.2, 0.25, 0.3])


@pytest.mark.parametrize(
    ("side", "stride"), [(8, 1), (28, 1), (32, 1), (33, 2), (64, 2), (65, 4), (128, 4), (224, 8), (512, 16)]
)
def test_the_stem_brings_sides_to_32(side: int, stride: int) -> None:
    assert stem_stride(side) == stride
    network = Resnet(width=4).build(pictures(side))
    assert network.stem(torch.rand(1, 3, side, side).expand(2, -1, -1, -1)).shape[2] == -(-side // stride) <= 32


def test_pictures_of_other_sides_than_training_are_taken() -> None:
    network = Resnet(width=4).build(pictures(28)).eval()
    assert network({"pixels": torch.rand(2, 3, 41, 19)}).shape == (2, 10)


@pytest.mark.parametrize("depth", [8, 14, 18, 20, 32])
def test_depth_counts_layers_on_the_main_path(depth: int) -> None:
    network = Resnet(depth=depth, width=4).build(pictures(16))
    in_blocks = sum(isinstance(module, nn.Conv2d) for name, module in network.named_modules() if ".branch." in name)
    assert 1 + in_blocks + 1 == depth


@pytest.mark.parametrize(("depth", "millions"), [(20, 0.27), (32, 0.46)])
def test_size_of_the_paper(depth: int, millions: float) -> None:
    # Table 6 of He et al.; projections in place of padded shortcuts add 2,560 weights and their norms.
    assert n_weights(Resnet(depth=depth).build(pictures(32))) / 1e6 == pytest.approx(millions, abs=0.01)

"""The classic: sizes that its card promises, and one-dimensional blocks against torch's own on full-length series."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from rarebird.data.spec import InputSpec
from rarebird.methods.network.cnn import Cnn


def pictures(height: int, width: int, channels: int = 3) -> InputSpec:
    mean, std = (0.5,) * channels, (0.2,) * channels
    return InputSpec(
        kind="image",
        task="classification",
        n_outputs=10,
        channels=channels,
        height=height,
        width=width,
        mean=mean,
        std=std,
    )


def series(length: int) -> InputSpec:
    return InputSpec(kind="series", task="classification", n_outputs=3, channels=2, length=length)


def n_weights(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_weights_stay_under_five_million_whatever_the_side() -> None:
    sizes = [n_weights(Cnn().build(pictures(side, side))) for side in (28, 32, 64, 224, 512)]
    assert len(set(sizes)) == 1
    assert sizes[0] < 5_000_000


@pytest.mark.parametrize(("side", "parts"), [(8, 1), (9, 2), (16, 2), (24, 3), (28, 4), (50, 4)])
def test_the_dense_layer_sees_at_most_four_by_four(side: int, parts: int) -> None:
    network = Cnn(width=4).build(pictures(side, 31))
    assert network.blocks(torch.randn(2, 3, side, 31)).shape == (2, 16, parts, 4)


def test_norm_none_has_no_normalization_and_biased_convolutions() -> None:
    for spec in (pictures(12, 12), series(9)):
        plain, normed = Cnn(norm="none").build(spec), Cnn().build(spec)
        norms = (nn.BatchNorm1d, nn.BatchNorm2d)
        assert not any(isinstance(module, norms) for module in plain.modules())
        assert sum(isinstance(module, norms) for module in normed.modules()) == 3
        for network, biased in ((plain, True), (normed, False)):
            convolutions = [module for module in network.modules() if isinstance(module, nn.Conv1d | nn.Conv2d)]
            assert [module.bias is not None for module in convolutions] == [biased] * 3


def test_without_norm_one_row_can_train() -> None:
    network = Cnn(norm="none").build(pictures(8, 8))
    assert network.train()({"pixels": torch.rand(1, 3, 8, 8)}).shape == (1, 10)


def test_full_length_series_are_plain_convolution_and_pooling() -> None:
    network = Cnn(width=4).build(series(32)).eval()
    values = torch.randn(5, 2, 32)
    expected = values
    for convolution, norm in zip(network.convolutions, network.norms, strict=True):
        expected = functional.max_pool1d(functional.relu(norm(convolution(expected))), 2)
    expected = network.dense(functional.adaptive_avg_pool1d(expected, 4).flatten(1))
    torch.testing.assert_close(network.features({"values": values, "lengths": torch.full((5,), 32)}), expected)


def test_size_of_the_textbook_network() -> None:
    # 3x3 convolutions 3-32-64-128 with norms, 128 * 16 to 512, 512 to 10.
    convolutions = 9 * (3 * 32 + 32 * 64 + 64 * 128) + 2 * (32 + 64 + 128)
    assert n_weights(Cnn().build(pictures(32, 32))) == convolutions + (2048 * 512 + 512) + (512 * 10 + 10)

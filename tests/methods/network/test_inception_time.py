"""InceptionTime: kernels fit the series, the mean forgets the place of a shape, and the size is that of the paper's
design."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rarebird.data.spec import InputSpec
from rarebird.methods.network.inception_time import InceptionTime, odd


def series(length: int, channels: int = 1) -> InputSpec:
    return InputSpec(kind="series", task="classification", n_outputs=2, channels=channels, length=length)


def kernels(network: nn.Module) -> list[int]:
    module = network.modules_in_order[0]
    return [convolution.kernel_size[1] for convolution in module.convolutions]


@pytest.mark.parametrize(("steps", "expected"), [(1, 1), (2, 1), (3, 3), (39, 39), (40, 39)])
def test_odd(steps: int, expected: int) -> None:
    assert odd(steps) == expected


@pytest.mark.parametrize(
    ("length", "expected"), [(500, [39, 19, 9]), (39, [39, 19, 9]), (20, [19, 9]), (8, [7]), (1, [1])]
)
def test_no_kernel_is_longer_than_the_series(length: int, expected: list[int]) -> None:
    assert kernels(InceptionTime(depth=1, width=4).build(series(length))) == expected


def test_a_shape_counts_wherever_it_is() -> None:
    network = InceptionTime(depth=3, width=4, kernel=9).build(series(120)).train()
    lengths = torch.full((2,), 120)
    network({"values": torch.randn(2, 1, 120), "lengths": lengths})
    shape = torch.randn(6)
    values = torch.zeros(2, 1, 120)
    values[0, 0, 40:46], values[1, 0, 71:77] = shape, shape
    found = network.eval()({"values": values, "lengths": lengths})
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-5)


def test_a_shortcut_goes_around_every_third_module() -> None:
    assert [len(InceptionTime(depth=depth, width=4).build(series(20)).shortcuts) for depth in (1, 2, 3, 5, 6)] == [
        0,
        0,
        1,
        1,
        2,
    ]


def test_a_module_pools_the_highest_of_own_steps() -> None:
    network = InceptionTime(depth=1, width=4).build(series(5, channels=2)).eval()
    module = network.modules_in_order[0]
    for convolution in module.convolutions:
        nn.init.zeros_(convolution.weight)
    nn.init.ones_(module.pooled.weight)
    # All values are negative: a padding of zeros must not be the highest.
    values = -torch.arange(1.0, 11).view(1, 2, 1, 5)
    inside = torch.tensor([True, True, True, False, False])[None, None, None]
    pooled = module(values * inside, inside)[0, -1, 0, :3] * (1 + module.norm.eps) ** 0.5
    torch.testing.assert_close(pooled, torch.tensor([-7.0, -7.0, -9.0]))


def test_size_of_the_paper() -> None:
    # Six modules of four branches of 32 channels; the first has one channel in and no bottleneck.
    branches = 32 * (39 + 19 + 9)
    modules = (branches + 32) + 5 * (128 * 32 + 32 * branches + 128 * 32) + 6 * 2 * 128
    shortcuts = 128 + 128 * 128 + 2 * 2 * 128
    assert (
        sum(parameter.numel() for parameter in InceptionTime().build(series(100)).parameters())
        == modules + shortcuts + 128 * 2 + 2
    )

"""Dropout and stochastic depth: every layer of the network gets its rate, and a network without any is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import nn

from rarebird.core.checks import DataError
from rarebird.data.spec import InputSpec
from rarebird.methods.network._layers import DropPath
from rarebird.methods.network.inception_time import InceptionTime
from rarebird.methods.network.mlp import Mlp
from rarebird.methods.network.resnet import Resnet
from rarebird.methods.network.rnn import Rnn
from rarebird.methods.network.transformer import Transformer
from rarebird.methods.regularization.dropout import Dropout
from rarebird.methods.regularization.stochastic_depth import StochasticDepth

SERIES = InputSpec(kind="series", task="classification", n_outputs=3, channels=2, length=20)
IMAGE = InputSpec(
    kind="image", task="classification", n_outputs=3, channels=1, height=12, width=12, mean=(0.5,), std=(0.2,)
)


@pytest.mark.parametrize(
    "build",
    [
        lambda: Mlp(width=8).build(SERIES),
        lambda: Resnet(width=4).build(IMAGE),
        lambda: Rnn(width=4).build(SERIES),
        lambda: Transformer(heads=1).build(IMAGE),
        lambda: InceptionTime(width=2).build(SERIES),
    ],
    ids=["mlp", "resnet", "rnn", "transformer", "inception_time"],
)
def test_every_dropout_layer_gets_the_rate(build: Callable[[], nn.Module]) -> None:
    network = build()
    Dropout(rate=0.45).attach(network)
    rates = [module.p for module in network.modules() if isinstance(module, nn.Dropout)]
    assert rates
    assert set(rates) == {0.45}


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda: Resnet(depth=8, width=4).build(IMAGE), [0.1, 0.2, 0.3]),
        (lambda: Transformer(depth=2, heads=1).build(SERIES), [0.15, 0.3]),
        (lambda: InceptionTime(depth=9, width=2).build(SERIES), [0.1, 0.2, 0.3]),
    ],
    ids=["resnet", "transformer", "inception_time"],
)
def test_rates_grow_linearly_with_depth_as_the_networks_own_do(
    build: Callable[[], nn.Module], expected: list[float]
) -> None:
    network = build()
    StochasticDepth(rate=0.3).attach(network)
    assert [module.skip_rate for module in network.modules() if isinstance(module, DropPath)] == pytest.approx(expected)


def test_a_network_without_such_layers_is_refused() -> None:
    with pytest.raises(DataError, match=r"Perceptron has no residual branch.*choose transformer"):
        StochasticDepth().attach(Mlp(width=8).build(SERIES))
    with pytest.raises(DataError, match="InceptionNetwork has no residual branch"):
        StochasticDepth().attach(InceptionTime(depth=2, width=2).build(SERIES))
    with pytest.raises(DataError, match="Linear has no dropout layer"):
        Dropout().attach(nn.Linear(2, 2))

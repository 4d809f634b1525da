"""EMA: the recursion by hand, its memory as a share of the training, and a mean that settles where weights stay."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from rarebird.methods.regularization.ema import Ema, decay
from rarebird.slots.hooks import TrainState


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def test_equals_the_recursion_by_hand_for_weights_and_statistics() -> None:
    net = network()
    hook, state = Ema(half_life=0.1).attach(net), TrainState(net, 0, 30)
    expected: dict[str, torch.Tensor] = {}
    for step in range(30):
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(step)))
        net(torch.randn(8, 2, generator=torch.Generator().manual_seed(step)))
        hook.after_step(state)
        for name, tensor in net.state_dict().items():
            keep = decay(step + 1, 0.1) if step else 0.0
            floats = tensor.is_floating_point()
            expected[name] = (
                keep * expected.get(name, torch.zeros(())) + (1 - keep) * tensor if floats else tensor.clone()
            )
    judged = hook.before_evaluation(state)
    assert judged is not None
    torch.testing.assert_close(dict(judged.state_dict()), expected)
    hook.after_fit(state)
    torch.testing.assert_close(dict(net.state_dict()), expected)


def test_a_network_that_does_not_change_is_its_own_mean() -> None:
    net = network()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    hook, state = Ema().attach(net), TrainState(net, 0, 100)
    for _ in range(100):
        hook.after_step(state)
    hook.after_fit(state)
    torch.testing.assert_close(dict(net.state_dict()), before)


@pytest.mark.parametrize("steps", [200, 20_000])
def test_memory_is_a_share_of_the_training(steps: int) -> None:
    kept = math.prod(decay(step, 0.1) for step in range(int(0.9 * steps) + 1, steps + 1))
    assert kept == pytest.approx(0.5, rel=0.06)


def test_first_weights_are_soon_forgotten() -> None:
    assert math.prod(decay(step, 0.2) for step in range(2, 100)) < 1e-6


def test_judged_network_is_a_frozen_copy_and_nothing_happens_without_a_step() -> None:
    net = network()
    hook, state = Ema().attach(net), TrainState(net, 0, 10)
    assert hook.before_evaluation(state) is None
    hook.after_fit(state)
    hook.after_step(state)
    judged = hook.before_evaluation(state)
    assert judged is not None
    assert judged is not net
    assert not any(parameter.requires_grad for parameter in judged.parameters())
    assert all(parameter.requires_grad for parameter in net.parameters())

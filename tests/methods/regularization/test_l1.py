"""L1: zeros are exact and grow with the strength, the lasso's support is found, and only weights are touched."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import Lasso
from torch import nn

from rarebird.methods.regularization.elastic_net import ElasticNet
from rarebird.methods.regularization.ema import Ema
from rarebird.methods.regularization.l1 import L1, shrink
from rarebird.slots.hooks import TrainState

RATE, TRUE = 0.1, np.array([3.0, -2.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.5, 0.0])


def problem() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 10))
    return x, x @ TRUE + rng.normal(size=120)


def descended(method: L1 | ElasticNet, steps: int = 400) -> np.ndarray:
    """Weights after plain gradient descent on half the mean squared error, as scikit-learn's lasso has it."""
    x, y = (torch.from_numpy(part) for part in problem())
    net = nn.Linear(10, 1, bias=False).double()
    hook, state = method.attach(net), TrainState(net, 0, steps, learning_rate=RATE)
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE)
    for _ in range(steps):
        optimizer.zero_grad()
        (net(x)[:, 0] - y).square().mean().div(2).backward()
        optimizer.step()
        hook.after_step(state)
    return net.weight.detach().numpy()[0]


@pytest.mark.parametrize("strength", [0.05, 0.3, 1.0])
def test_the_lassos_weights_and_exact_zeros_are_found(strength: float) -> None:
    x, y = problem()
    expected = Lasso(alpha=strength, fit_intercept=False, tol=1e-10).fit(x, y).coef_
    found = descended(L1(strength=strength))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_array_equal(found == 0, expected == 0)


def test_the_share_of_zeros_grows_with_the_strength() -> None:
    zeros = [int((descended(L1(strength=strength)) == 0).sum()) for strength in (0.0, 0.05, 0.3, 1.0, 2.5, 10.0)]
    assert zeros == sorted(zeros)
    assert zeros[0] == 0
    assert zeros[-1] == 10


def test_soft_threshold() -> None:
    tensors = [torch.tensor([-3.0, -0.5, 0.0, 0.5, 2.0]), torch.tensor([[1.0]])]
    shrink(tensors, by=1.0, factor=0.5)
    assert tensors[0].tolist() == [-1.0, 0.0, 0.0, 0.0, 0.5]
    assert tensors[1].tolist() == [[0.0]]


def test_biases_norms_and_frozen_weights_are_left_alone() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    net[2].requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    L1(strength=1.0).attach(net).after_step(TrainState(net, 1, 1, learning_rate=1.0))
    changed = {name for name, tensor in net.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {"0.weight"}
    assert net[0].weight.count_nonzero() == 0


@pytest.mark.parametrize("ema_first", [True, False])
def test_a_mean_of_the_weights_has_their_zeros(ema_first: bool) -> None:
    net = nn.Linear(20, 3)
    hooks = [Ema().attach(net), L1(strength=2.0).attach(net)]
    state = TrainState(net, 0, 30, learning_rate=0.01)
    for step in range(30):
        with torch.no_grad():
            net.weight += 0.02 * torch.randn(3, 20, generator=torch.Generator().manual_seed(step))
        for hook in hooks if ema_first else hooks[::-1]:
            hook.after_step(state)
    zero = net.weight == 0
    assert 5 < int(zero.sum()) < 55
    judged = hooks[0].before_evaluation(state)
    assert judged is not None
    assert torch.equal(judged.weight == 0, zero)
    for hook in hooks:
        hook.after_fit(state)
    assert torch.equal(net.weight == 0, zero)

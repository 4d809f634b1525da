"""L2: both forms give the ridge's weights under plain gradient descent, and spare biases and norms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from torch import nn

from rarebird.methods.regularization.l2 import L2
from rarebird.slots.hooks import TrainState
from tests.methods.regularization.test_l1 import RATE, problem


def descended(method: L2, optimizer: type[torch.optim.Optimizer] = torch.optim.SGD, steps: int = 400) -> np.ndarray:
    x, y = (torch.from_numpy(part) for part in problem())
    net = nn.Linear(10, 1, bias=False).double()
    hook, state = method.attach(net), TrainState(net, 0, steps, learning_rate=RATE)
    inner = optimizer(net.parameters(), lr=RATE)  # type: ignore[call-arg]
    for _ in range(steps):
        inner.zero_grad()
        loss = (net(x)[:, 0] - y).square().mean().div(2)
        penalty = hook.penalty(net)
        (loss if penalty is None else loss + penalty).backward()
        inner.step()
        hook.after_step(state)
    return net.weight.detach().numpy()[0]


@pytest.mark.parametrize(("decoupled", "near"), [(False, 1e-6), (True, 0.15)])
def test_the_ridges_weights_are_found(decoupled: bool, near: float) -> None:
    # Decoupled, the fixed point has the gradient at the weights before they shrink: near the ridge for small rate *
    # strength.
    x, y = problem()
    expected = Ridge(alpha=0.5 * len(y), fit_intercept=False).fit(x, y).coef_
    np.testing.assert_allclose(descended(L2(strength=0.5, decoupled=decoupled)), expected, atol=near)


def test_decoupled_is_one_factor_per_step() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    L2(strength=0.1).attach(net).after_step(TrainState(net, 1, 1, learning_rate=0.5))
    torch.testing.assert_close(net[0].weight.detach(), before["0.weight"] * 0.95)
    for name in ("0.bias", "1.weight", "1.bias"):
        assert torch.equal(net.state_dict()[name], before[name])


def test_penalty_is_half_the_square_of_trainable_weights() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    hook = L2(strength=0.2, decoupled=False).attach(net)
    expected = 0.1 * (net[0].weight.square().sum() + net[2].weight.square().sum())
    torch.testing.assert_close(hook.penalty(net), expected)
    net[0].requires_grad_(False)
    torch.testing.assert_close(hook.penalty(net), 0.1 * net[2].weight.square().sum())
    net.requires_grad_(False)
    assert hook.penalty(net) is None

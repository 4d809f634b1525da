"""Lion against its formula in numpy."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from rarebird.methods.optimizer.lion import Lion


def test_equals_the_paper_in_numpy() -> None:
    torch.manual_seed(0)
    net = nn.Linear(4, 3).double()
    built = Lion(learning_rate=0.01, weight_decay=0.3, beta1=0.8, beta2=0.9).build(net)
    expected = {name: parameter.detach().numpy().copy() for name, parameter in net.named_parameters()}
    momentum = {name: np.zeros_like(value) for name, value in expected.items()}
    decay = {"weight": 0.3, "bias": 0.0}
    rng = np.random.default_rng(0)
    for _ in range(10):
        for name, parameter in net.named_parameters():
            gradient = rng.normal(size=expected[name].shape)
            parameter.grad = torch.from_numpy(gradient)
            direction = np.sign(0.8 * momentum[name] + 0.2 * gradient)
            expected[name] -= 0.01 * (direction + decay[name] * expected[name])
            momentum[name] = 0.9 * momentum[name] + 0.1 * gradient
        built.step()
    for name, parameter in net.named_parameters():
        np.testing.assert_allclose(parameter.detach().numpy(), expected[name], rtol=1e-12)


def test_every_weight_moves_by_the_rate() -> None:
    net = nn.Linear(4, 3)
    before = net.weight.detach().clone()
    built = Lion(weight_decay=0.0).build(net)
    net(torch.randn(5, 4)).square().sum().backward()
    built.step()
    torch.testing.assert_close((net.weight.detach() - before).abs(), torch.full((3, 4), 3e-4), rtol=1e-3, atol=1e-7)

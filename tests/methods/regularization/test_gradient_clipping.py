"""Gradient clipping: long gradients are cut to the norm, short ones are left alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rarebird.methods.regularization.gradient_clipping import GradientClipping
from rarebird.slots.hooks import TrainState


@pytest.mark.parametrize(("length", "expected"), [(10.0, 2.0), (0.5, 0.5)])
def test_norm_over_all_parameters_is_limited_and_the_direction_kept(length: float, expected: float) -> None:
    net = nn.Linear(3, 2)
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter) * length / 8**0.5
    GradientClipping(max_norm=2.0).attach(net).after_backward(TrainState(net, 0, 1))
    gradient = torch.cat([parameter.grad.flatten() for parameter in net.parameters() if parameter.grad is not None])
    assert gradient.norm().item() == pytest.approx(expected, rel=1e-4)
    torch.testing.assert_close(gradient, torch.full((8,), gradient[0].item()))

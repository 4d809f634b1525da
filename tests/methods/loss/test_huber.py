"""Huber's loss against torch's own, and its limits."""

from __future__ import annotations

import pytest
import torch

from rarebird.methods.loss.huber import Huber, huber
from rarebird.methods.loss.mean_squared import mean_squared
from rarebird.slots.protocols import TargetStatistics

OUTPUTS, Y = 3 * torch.randn(2, 30, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("delta", [0.1, 1.0, 2.5])
def test_is_twice_torchs(delta: float) -> None:
    ours = Huber(delta=delta).build(TargetStatistics())(OUTPUTS, Y)
    torch.testing.assert_close(
        ours, 2 * torch.nn.functional.huber_loss(OUTPUTS, Y, reduction="none", delta=delta).mean(dim=1)
    )


def test_large_delta_is_the_squared_error_and_small_delta_the_absolute_one() -> None:
    torch.testing.assert_close(huber(OUTPUTS, Y, 1e3), mean_squared(OUTPUTS, Y))
    absolute = (OUTPUTS - Y).abs().mean(dim=1)
    torch.testing.assert_close(huber(OUTPUTS, Y, 1e-6) / 2e-6, absolute, rtol=1e-4, atol=1e-6)


def test_no_row_pulls_harder_than_twice_delta() -> None:
    outputs = torch.tensor([[0.1], [50.0], [-5000.0]], requires_grad=True)
    (slope,) = torch.autograd.grad(huber(outputs, torch.zeros(3, 1), 0.5).sum(), outputs)
    torch.testing.assert_close(slope, torch.tensor([[0.2], [1.0], [-1.0]]))

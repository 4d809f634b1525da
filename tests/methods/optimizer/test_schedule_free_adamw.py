"""Schedule-free AdamW against the paper's three sequences in numpy, which keep the average itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from rarebird.methods.optimizer.schedule_free_adamw import ScheduleFreeAdamw


class Bowl(nn.Module):
    """``(w - target)' A (w - target) / 2`` for a weight matrix of one row."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[2.0, -1.0, 0.5]], dtype=torch.float64))

    def gradient(self) -> np.ndarray:
        return gradient(self.weight.detach().numpy()[0])


CURVATURE, TARGET = np.diag([5.0, 1.0, 0.2]), np.array([0.3, 0.7, -0.4])


def gradient(w: np.ndarray) -> np.ndarray:
    return CURVATURE @ (w - TARGET)


@pytest.mark.parametrize("decay", [0.0, 0.2])
def test_equals_algorithm_1_of_the_paper(decay: float) -> None:
    net, rates = Bowl(), [0.01, 0.05, 0.1, 0.1, 0.1, 0.02, 0.1]
    built = ScheduleFreeAdamw(learning_rate=0.1, weight_decay=decay, beta1=0.9, beta2=0.95).build(net)
    x = z = net.weight.detach().numpy()[0].copy()
    v, total = np.zeros(3), 0.0
    for step, rate in enumerate(rates, start=1):
        y = 0.1 * z + 0.9 * x
        g = gradient(y)
        v = 0.95 * v + 0.05 * g**2
        scaled = rate * np.sqrt(1 - 0.95**step)
        z = z - scaled * (g / (np.sqrt(v) + 1e-8) + decay * y)
        total += scaled**2
        x = (1 - scaled**2 / total) * x + scaled**2 / total * z

        np.testing.assert_allclose(net.weight.detach().numpy()[0], y, rtol=1e-12)
        net.weight.grad = torch.from_numpy(net.gradient()[None])
        built.param_groups[0]["lr"] = rate
        built.step()
    built.eval()  # type: ignore[attr-defined]
    np.testing.assert_allclose(net.weight.detach().numpy()[0], x, rtol=1e-12)


def test_the_average_finds_the_minimum_at_a_constant_rate() -> None:
    net = Bowl()
    built = ScheduleFreeAdamw(learning_rate=0.05, weight_decay=0.0).build(net)
    for _ in range(1500):
        net.weight.grad = torch.from_numpy(net.gradient()[None])
        built.step()
    built.eval()  # type: ignore[attr-defined]
    np.testing.assert_allclose(net.weight.detach().numpy()[0], TARGET, atol=0.01)


def test_a_step_on_the_average_is_refused() -> None:
    built = ScheduleFreeAdamw().build(nn.Linear(2, 2))
    built.eval()  # type: ignore[attr-defined]
    with pytest.raises(AssertionError, match="train"):
        built.step()

"""SAM: the papers' updates on a quadratic, no scale in the adaptive form, and one change of running statistics per
step."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rarebird.methods.optimizer.schedule_free_adamw import ScheduleFreeAdamw
from rarebird.methods.regularization.sam import SMALLEST, Sam
from rarebird.slots.hooks import Hook, TrainState

CURVATURE = np.array([[3.0, 0.5], [0.5, 1.0]])


class Point(nn.Module):
    """A point as a weight matrix of one row, and one as a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[1.0, -2.0]], dtype=torch.float64))
        self.bias = nn.Parameter(torch.tensor([0.5], dtype=torch.float64))

    def loss(self) -> Tensor:
        w = self.weight[0]
        return (w @ torch.from_numpy(CURVATURE) @ w) / 2 + self.bias.square().sum()


def closure_of(net: Point, optimizer: torch.optim.Optimizer, hook: Hook) -> Tensor:
    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = net.loss()
        loss.backward()
        hook.after_backward(TrainState(net, 0, 1))
        return loss.detach()

    return optimizer.step(closure)  # type: ignore[arg-type,return-value]


def gradient(w: np.ndarray) -> np.ndarray:
    return np.array([*(CURVATURE @ w[:2]), 2 * w[2]])


@pytest.mark.parametrize("adaptive", [False, True])
def test_update_of_the_paper_on_a_quadratic(adaptive: bool) -> None:
    net = Point()
    hook = Sam(radius=0.3, adaptive=adaptive).attach(net)
    optimizer = hook.around(torch.optim.SGD(net.parameters(), lr=0.1))
    w = np.array([1.0, -2.0, 0.5])
    for _ in range(5):
        scale = np.array([*(np.abs(w[:2]) + SMALLEST), 1.0]) if adaptive else np.ones(3)
        g = gradient(w)
        worst = w + 0.3 * scale**2 * g / np.linalg.norm(scale * g)
        expected_loss = w[:2] @ CURVATURE @ w[:2] / 2 + w[2] ** 2
        w = w - 0.1 * gradient(worst)
        assert float(closure_of(net, optimizer, hook)) == pytest.approx(expected_loss)
        np.testing.assert_allclose([*net.weight.detach().numpy()[0], net.bias.item()], w, rtol=1e-10)


def test_no_radius_is_the_inner_optimizer() -> None:
    plain, tiny = Point(), Point()
    hook = Sam(radius=1e-12).attach(tiny)
    for net, optimizer, watcher in (
        (plain, torch.optim.SGD(plain.parameters(), lr=0.1), Hook()),
        (tiny, hook.around(torch.optim.SGD(tiny.parameters(), lr=0.1)), hook),
    ):
        for _ in range(5):
            closure_of(net, optimizer, watcher)
    torch.testing.assert_close(plain.weight, tiny.weight)


def batch_closure(net: nn.Module, optimizer: torch.optim.Optimizer, hook: Hook, seen: list[Tensor]) -> None:
    x = torch.randn(16, 3, generator=torch.Generator().manual_seed(0))

    def closure() -> Tensor:
        optimizer.zero_grad()
        outputs = net(x)
        seen.append(outputs == 0)
        loss = outputs.square().mean()
        loss.backward()
        hook.after_backward(TrainState(net, 0, 1))
        return loss.detach()

    optimizer.step(closure)  # type: ignore[arg-type]


def test_running_statistics_follow_the_first_pass_alone_and_both_draw_the_same() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    alone = nn.BatchNorm1d(4)
    alone(net[0](torch.randn(16, 3, generator=torch.Generator().manual_seed(0))))
    hook, seen = Sam(radius=1.0).attach(net), []
    batch_closure(net, hook.around(torch.optim.SGD(net.parameters(), lr=0.1)), hook, seen)
    torch.testing.assert_close(dict(net[1].named_buffers()), dict(alone.named_buffers()))
    assert net[1].track_running_stats
    assert torch.equal(seen[0], seen[1])
    assert seen[0].any()


def test_weights_return_where_the_second_pass_fails() -> None:
    net = Point()
    hook = Sam(radius=0.3).attach(net)
    optimizer = hook.around(torch.optim.SGD(net.parameters(), lr=0.1))
    calls = []

    def closure() -> Tensor:
        calls.append(0)
        if len(calls) == 2:
            raise torch.OutOfMemoryError("out of memory")
        loss = net.loss()
        loss.backward()
        return loss.detach()

    with pytest.raises(torch.OutOfMemoryError):
        optimizer.step(closure)  # type: ignore[arg-type]
    assert net.weight.tolist() == [[1.0, -2.0]]


def test_rates_and_averages_of_the_inner_optimizer_pass_through() -> None:
    net = Point()
    hook = Sam().attach(net)
    optimizer = hook.around(ScheduleFreeAdamw().build(net))
    for group in optimizer.param_groups:
        group["lr"] = 0.5
    for _ in range(2):
        closure_of(net, optimizer, hook)
    trained = net.weight.detach().clone()
    assert (trained - torch.tensor([[1.0, -2.0]])).abs().min() > 0.1
    optimizer.eval()  # type: ignore[attr-defined]
    assert not torch.equal(net.weight, trained)
    optimizer.train()  # type: ignore[attr-defined]
    torch.testing.assert_close(net.weight.detach(), trained)

"""The contract of optimizers and schedules: they go down hill, spare what must not decay, and their factors are finite
from end to end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from rarebird.slots import methods


def cases(slot: str) -> Any:
    values = [
        (name, place, value)
        for name in methods.names(slot)
        for place, value in enumerate(methods.load(slot, name).examples())
    ]
    return pytest.mark.parametrize(slot, [pytest.param(value, id=f"{name}-{place}") for name, place, value in values])


every_optimizer, every_schedule = cases("optimizer"), cases("schedule")


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv1d(2, 6, 3, padding=1), nn.BatchNorm1d(6), nn.Flatten(), nn.Linear(24, 12), nn.Linear(12, 3)
    )


@every_optimizer
def test_goes_down_hill(optimizer: Any) -> None:
    net, generator = network(), torch.Generator().manual_seed(0)
    x, y = torch.randn(32, 2, 4, generator=generator), torch.randint(3, (32,), generator=generator)
    # The steps are few: three times the default rate.
    built = optimizer.model_copy(update={"learning_rate": 3 * optimizer.learning_rate}).build(net)

    def closure() -> torch.Tensor:
        built.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        return loss.detach()

    first = float(built.step(closure))
    for _ in range(200):
        last = float(built.step(closure))
    if hasattr(built, "eval"):
        built.eval()
        last = float(nn.functional.cross_entropy(net(x), y).detach())
    assert last < 0.8 * first


@every_optimizer
def test_starts_at_its_learning_rate_and_follows_the_loops(optimizer: Any) -> None:
    net = network()
    built = optimizer.build(net)
    assert all(group["lr"] == optimizer.learning_rate for group in built.param_groups)
    before = [parameter.detach().clone() for parameter in net.parameters()]
    for group in built.param_groups:
        group["lr"] = 0.0
    net(torch.randn(4, 2, 4)).sum().backward()
    built.step()
    torch.testing.assert_close(list(net.parameters()), before, rtol=0, atol=0)


@every_optimizer
def test_decay_shrinks_weights_alone(optimizer: Any) -> None:
    net = network()
    strong = optimizer.model_copy(update={"weight_decay": 0.1})
    before = {name: parameter.detach().clone() for name, parameter in net.named_parameters()}
    built = strong.build(net)
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    built.step()
    assert {parameter.ndim >= 2 for parameter in net.parameters()} == {False, True}
    for name, parameter in net.named_parameters():
        if parameter.ndim >= 2:
            assert parameter.norm() < before[name].norm(), name
        else:
            torch.testing.assert_close(parameter.detach(), before[name], rtol=0, atol=0)


@every_optimizer
def test_takes_trainable_parameters_alone(optimizer: Any) -> None:
    net = network()
    for parameter in net[0].parameters():  # type: ignore[index]
        parameter.requires_grad_(False)
    held = {id(parameter) for group in optimizer.build(net).param_groups for parameter in group["params"]}
    assert held == {id(parameter) for parameter in net.parameters() if parameter.requires_grad}
    with pytest.raises(ValueError, match="at least one trainable parameter"):
        optimizer.build(net.requires_grad_(False))


@every_optimizer
def test_an_average_comes_and_goes_without_loss(optimizer: Any) -> None:
    net = network()
    built = optimizer.build(net)
    assert hasattr(built, "eval") == hasattr(built, "train")
    if not hasattr(built, "eval"):
        return
    for _ in range(3):
        net(torch.randn(4, 2, 4)).square().sum().backward()
        built.step()
    trained = [parameter.detach().clone() for parameter in net.parameters()]
    built.eval()
    assert any(not torch.equal(parameter, before) for parameter, before in zip(net.parameters(), trained, strict=True))
    built.eval()
    built.train()
    built.train()
    torch.testing.assert_close(list(net.parameters()), trained)


@every_schedule
def test_factor_is_between_zero_and_one_and_reaches_one(schedule: Any) -> None:
    factors = np.array([schedule(progress) for progress in np.linspace(0, 1, 1001)])
    assert np.isfinite(factors).all()
    assert (factors >= 0).all()
    assert factors.max() == pytest.approx(1, abs=1e-5)
    assert factors[0] > 0


@every_schedule
def test_losses_may_lower_the_factor_and_never_raise_it(schedule: Any) -> None:
    for progress in (0.1, 0.5, 1.0):
        assert schedule(progress, [1.0, 0.5]) == schedule(progress)
        assert schedule(progress, [1.0] * 9) <= schedule(progress)


@every_schedule
@pytest.mark.parametrize("progress", [-0.01, 1.01])
def test_progress_outside_the_training_is_refused(schedule: Any, progress: float) -> None:
    with pytest.raises(ValueError, match="progress"):
        schedule(progress)

"""Schedules: their corners, and torch's own as referees."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from rarebird.methods.schedule.constant import Constant
from rarebird.methods.schedule.cosine import Cosine
from rarebird.methods.schedule.linear import Linear
from rarebird.methods.schedule.one_cycle import OneCycle
from rarebird.methods.schedule.reduce_on_plateau import ReduceOnPlateau
from rarebird.methods.schedule.step import Step


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)


def rates_of(scheduler: torch.optim.lr_scheduler.LRScheduler, steps: int) -> list[float]:
    """The rate of each step."""
    found = []
    for _ in range(steps):
        found.append(scheduler.optimizer.param_groups[0]["lr"])
        scheduler.optimizer.step()
        scheduler.step()
    return found


def test_cosine_warms_up_and_comes_to_rest() -> None:
    schedule = Cosine(warm_up=0.2, final_factor=0.1)
    assert schedule(0) == pytest.approx(0.01)
    assert schedule(0.1) == pytest.approx(0.505)
    assert schedule(0.2) == pytest.approx(1)
    assert schedule(0.6) == pytest.approx(0.55)
    assert schedule(1) == pytest.approx(0.1)


def test_cosine_without_warm_up_is_half_a_cosine() -> None:
    for progress in (0.0, 0.3, 0.5, 1.0):
        assert Cosine(warm_up=0.0)(progress) == pytest.approx((1 + math.cos(math.pi * progress)) / 2)


def test_cosine_never_rises_after_the_warm_up() -> None:
    factors = [Cosine()(0.05 + 0.95 * step / 500) for step in range(501)]
    assert factors == sorted(factors, reverse=True)


def test_constant_is_one_after_its_warm_up() -> None:
    assert [Constant()(progress) for progress in (0.0, 0.5, 1.0)] == [1.0, 1.0, 1.0]
    assert [Constant(warm_up=0.2)(progress) for progress in (0.0, 0.1, 0.2, 1.0)] == pytest.approx([0.01, 0.505, 1, 1])


def test_linear_falls_evenly() -> None:
    schedule = Linear(warm_up=0.1, final_factor=0.2)
    assert [schedule(progress) for progress in (0.0, 0.05, 0.1, 0.55, 1.0)] == pytest.approx([0.01, 0.505, 1, 0.6, 0.2])
    falls = np.diff([Linear(warm_up=0.0)(step / 10) for step in range(11)])
    np.testing.assert_allclose(falls, -0.1)


def test_step_is_torchs() -> None:
    theirs = rates_of(torch.optim.lr_scheduler.MultiStepLR(optimizer(), [40, 70], gamma=0.2), 100)
    schedule = Step(milestones=(0.4, 0.7), factor=0.2)
    assert [schedule(step / 100) for step in range(100)] == pytest.approx(theirs)


@pytest.mark.parametrize("milestones", [[0.0], [0.5, 0.5], [0.7, 0.4], [1.0]])
def test_milestones_increase_within_the_training(milestones: list[float]) -> None:
    with pytest.raises(ValueError, match="increasing"):
        Step(milestones=milestones)


def test_one_cycle_is_torchs() -> None:
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer(), 1.0, total_steps=201, pct_start=0.3, div_factor=25, final_div_factor=1e4, cycle_momentum=False
    )
    theirs = rates_of(scheduler, 200)
    # torch has the peak one step before its share of the steps.
    climb = (0.3 * 201 - 1) / 200
    assert [OneCycle(climb=climb)(step / 200) for step in range(200)] == pytest.approx(theirs, rel=1e-6)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("patience", [0, 1, 3])
def test_reduce_on_plateau_is_torchs(seed: int, patience: int) -> None:
    losses = np.random.default_rng(seed).random(30).round(2) + np.linspace(1, 0.3, 30)
    losses[5] = math.nan
    inner = optimizer()
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(inner, factor=0.5, patience=patience, eps=0)
    schedule = ReduceOnPlateau(factor=0.5, patience=patience)
    for seen in range(1, 31):
        scheduler.step(losses[seen - 1])
        assert schedule(0.5, losses[:seen].tolist()) == pytest.approx(inner.param_groups[0]["lr"])


def test_a_loss_that_falls_keeps_the_rate() -> None:
    assert ReduceOnPlateau()(1.0, [1 / (1 + step) for step in range(12)]) == 1

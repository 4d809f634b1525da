"""The measurement picks the clearly faster placement, takes about the time it is given, and leaves no trace on what it
measures."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from rarebird.training import timing
from rarebird.training.device import Placement
from rarebird.training.loop import Training
from rarebird.training.timing import WARM_UP_STEPS, WORTHWHILE, fastest_placement, step_seconds
from tests.training.test_loop import some_rows, training

PLAIN, OTHER = Placement(), Placement(precision="bfloat16")


def choose(monkeypatch: pytest.MonkeyPatch, plain: float, other: float) -> tuple[Placement, float]:
    monkeypatch.setattr(timing, "step_seconds", lambda placement, seconds: plain if placement == PLAIN else other)
    return fastest_placement([PLAIN, OTHER], lambda placement: placement, 1.0)  # type: ignore[arg-type, return-value]


def test_another_placement_must_be_faster_by_more_than_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose(monkeypatch, 1.0, 1.0 / (WORTHWHILE + 0.01)) == (OTHER, 1.0 / (WORTHWHILE + 0.01))
    assert choose(monkeypatch, 1.0, 1.0 / (WORTHWHILE - 0.01)) == (PLAIN, 1.0)
    assert choose(monkeypatch, 1.0, 3.0) == (PLAIN, 1.0)


def test_the_measured_training_is_not_changed() -> None:
    measured = training(some_rows())
    network = measured.network
    before = [parameter.clone() for parameter in network.parameters()]
    seconds = step_seconds(measured, 0.05)
    assert 0 < seconds < 0.5
    assert all(torch.equal(one, two) for one, two in zip(before, network.parameters(), strict=True))
    assert all(parameter.grad is None for parameter in network.parameters())


def test_slow_steps_are_cut_short_and_their_median_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a made clock, so that a busy machine changes nothing: the first step takes 5 s, each other one 1 s."""
    now, steps = 100.0, 0
    stepped = Training._try_step

    def slow(*arguments: object) -> torch.Tensor:
        nonlocal now, steps
        steps += 1
        now += 5.0 if steps == 1 else 1.0
        return stepped(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Training, "_try_step", slow)
    monkeypatch.setattr(timing, "time", SimpleNamespace(monotonic=lambda: now))
    assert step_seconds(training(some_rows()), 0.0) == 1.0
    assert WARM_UP_STEPS < steps <= WARM_UP_STEPS + 3

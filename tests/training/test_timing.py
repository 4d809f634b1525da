"""The measurement picks the clearly faster placement, takes about the time it is given, and leaves no trace on what it
measures."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from rarebird.core.clock import Clock
from rarebird.recipe.recipe import Recipe
from rarebird.training import timing
from rarebird.training.device import Placement, threads
from rarebird.training.loop import Training
from rarebird.training.timing import (
    WARM_UP_STEPS,
    WORTHWHILE,
    affine_seconds,
    fastest_placement,
    placements,
    step_seconds,
    usable_threads,
)
from tests.training.test_loop import some_rows, training

PLAIN, OTHER = Placement(), Placement(precision="bfloat16")


def choose(monkeypatch: pytest.MonkeyPatch, plain: float, other: float) -> tuple[Placement, float]:
    monkeypatch.setattr(timing, "step_seconds", lambda placement, seconds: plain if placement == PLAIN else other)
    return fastest_placement([PLAIN, OTHER], lambda placement: placement, 1.0)  # type: ignore[arg-type, return-value]


def test_another_placement_must_be_faster_by_more_than_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose(monkeypatch, 1.0, 1.0 / (WORTHWHILE + 0.01)) == (OTHER, 1.0 / (WORTHWHILE + 0.01))
    assert choose(monkeypatch, 1.0, 1.0 / (WORTHWHILE - 0.01)) == (PLAIN, 1.0)
    assert choose(monkeypatch, 1.0, 3.0) == (PLAIN, 1.0)


def test_pictures_have_their_channels_last_on_a_cpu_unless_the_recipe_says_otherwise() -> None:
    plain = Recipe(kind="image", network="cnn", threads=1)
    for wanted in (None, True, False):
        found = placements(plain.updated(channels_last=wanted), "image", "cpu")
        assert [one.precision for one in found] == ["float32", "bfloat16"]
        assert {one.channels_last for one in found} == {wanted is not False}
    assert not any(one.channels_last for one in placements(Recipe(kind="table", network="mlp"), "table", "cpu"))


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


def measured(once: float, each: float, allowed: float, most: int = 40) -> tuple[list[int], float, float]:
    """The sizes that are measured by a made clock of a task of this time, and what `affine_seconds` finds."""
    now, sizes = [0.0], []

    def work(size: int) -> tuple[float, ...]:
        sizes.append(size)
        now[0] += once + each * size
        return (once + each * size,)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timing.time, "monotonic", lambda: now[0])
        found_once, found_each = affine_seconds(work, most, allowed)
    return sizes, float(found_once[0]), float(found_each[0])


def test_seconds_once_are_told_from_those_of_each_unit() -> None:
    """Features of a row of ACSF1 took 1 s, of 40 rows 2.7 s: 97 rows were expected to take 97 s and were not begun."""
    for load in (1.0, 3.0):
        _, once, each = measured(0.95 * load, 0.04 * load, 7.0)
        assert (once + 97 * each) / load == pytest.approx(0.95 + 97 * 0.04, rel=0.5)


@pytest.mark.parametrize("once", [0.0, 0.5])
@pytest.mark.parametrize("each", [0.001, 0.1, 1.0, 9.0])
def test_measuring_takes_the_allowed_time_and_two_first_measurements_at_most(once: float, each: float) -> None:
    allowed = 5.0
    sizes, _, found = measured(once, each, allowed)
    assert sum(once + each * size for size in sizes[2:]) <= allowed
    assert len(sizes) == 1 or once + each < allowed
    assert 0 < found <= (once + each) * 1.001


def test_a_clock_that_wavers_still_gives_times_above_nothing() -> None:
    for times in ([0.02, 0.01, 0.005, 0.01], [0.01, 0.02, 0.01, 0.01]):
        left = iter(times)
        once, each = affine_seconds(lambda size, left=left: (next(left),), 16, 1e9)  # type: ignore[misc]
        assert once >= 0
        assert each > 0


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ({4: 1e-4, 2: 2e-4, 1: 4e-4}, None),
        ({4: 8e-3, 2: 2e-4, 1: 4e-4}, 2),
        ({4: 8e-3, 2: 8e-3, 1: 2e-5}, 1),
        ({4: 2.2e-5, 2: 2e-5, 1: 2e-5}, None),
    ],
)
def test_a_busy_machine_gets_fewer_threads(
    seconds: dict[int, float], expected: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "_product_seconds", lambda matrix: seconds[torch.get_num_threads()])
    with threads(4):
        assert usable_threads(Clock(60.0), None) == expected
        assert usable_threads(Clock(60.0), 3) == 3
        assert usable_threads(Clock(None), None) is None
        assert torch.get_num_threads() == 4


def test_threads_are_measured_by_products_of_matrices() -> None:
    with threads(2):
        assert usable_threads(Clock(60.0), None) in (None, 1)

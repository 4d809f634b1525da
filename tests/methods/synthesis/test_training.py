"""Trainings of generators: balanced batches, the learning rate's course, the mean of the weights, early ends."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from rarebird.core.checks import DataError
from rarebird.core.compute import Compute
from rarebird.methods.synthesis import _training as training


def taken(codes: np.ndarray, counts: np.ndarray, size: int, batches: int) -> list[np.ndarray]:
    drawn = training.balanced_batches(codes, counts, size, np.random.default_rng(0))
    return list(itertools.islice(drawn, batches))


@pytest.mark.parametrize("size", [1, 3, 6, 7, 20])
def test_classes_come_equally_often(size: int) -> None:
    codes = np.repeat([0, 1, 2], [50, 7, 1])
    rows = np.concatenate(taken(codes, np.ones(58), size, 60))
    counts = np.bincount(codes[rows], minlength=3)
    assert counts.max() - counts.min() <= 1


def test_all_rows_of_a_class_come_before_one_comes_again() -> None:
    codes = np.repeat([0, 1], [30, 4])
    rows = np.concatenate(taken(codes, np.ones(34), 6, 20))
    rare = rows[codes[rows] == 1]
    for start in range(0, len(rare) - 3, 4):
        assert sorted(rare[start : start + 4]) == [30, 31, 32, 33]


def test_rows_come_in_proportion_to_what_they_count_for() -> None:
    codes = np.repeat([0, 1], [3, 3])
    rows = np.concatenate(taken(codes, np.array([1.0, 3, 0, 1, 1, 1]), 10, 2_000))
    share = np.bincount(rows, minlength=6) / len(rows)
    np.testing.assert_allclose(share, [0.125, 0.375, 0, 1 / 6, 1 / 6, 1 / 6], atol=0.02)


def test_a_class_without_rows_that_count_never_comes() -> None:
    rows = np.concatenate(taken(np.array([0, 0, 1]), np.array([1.0, 1, 0]), 4, 5))
    assert set(rows) == {0, 1}


def test_the_learning_rate_rises_and_falls_to_nearly_0() -> None:
    factors = [training.rate_factor(step / 1000) for step in range(1000)]
    assert max(factors) == pytest.approx(1, abs=0.01)
    assert factors[0] < 0.1
    assert factors[-1] < 0.01
    assert all(after <= before for before, after in itertools.pairwise(factors[500:]))


def test_the_mean_is_of_the_last_steps() -> None:
    network = nn.Linear(1, 1, bias=False)
    mean = training.MeanWeights(network)
    for step in range(1, 1001):
        network.weight.data.fill_(step)
        mean.add(network)
    value = float(mean.network.weight.detach())  # type: ignore[arg-type]
    # Weights of a power of the step: (h = log(2) / .06; mean = h / (h + 1) of the last).
    power = math.log(2) / training.HALF_LIFE
    assert value == pytest.approx(1000 * power / (power + 1), rel=0.02)


def test_progress_may_end_a_training() -> None:
    steps = []

    def step(progress: float) -> torch.Tensor:
        steps.append(progress)
        return torch.zeros(())

    training.steps_of(step, 500, Compute(progress=lambda share, what: share >= 0.5), "gan")
    assert len(steps) == 250
    assert steps[-1] == pytest.approx(0.498)


def test_a_training_that_diverges_says_so() -> None:
    with pytest.raises(DataError, match=r"synthesis gan at step 5 is no number: .* --set synthesis.learning_rate=RATE"):
        training.steps_of(lambda progress: torch.tensor(torch.nan), 500, Compute(), "gan")


def test_draws_leave_the_global_generator_alone() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    with training.torch_draws(np.random.default_rng(0)) as generator:
        first = (torch.randn(3), torch.randn(3, generator=generator))
    assert torch.equal(torch.get_rng_state(), before)
    with training.torch_draws(np.random.default_rng(0)) as generator:
        again = (torch.randn(3), torch.randn(3, generator=generator))
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))

"""Draws by loss: in proportion, bounded, unseen rows once; wrong labels cannot take over; bisection is the referee of
the limit."""

from __future__ import annotations

import numpy as np
import pytest

from rarebird.methods.batch_sampling.by_loss import ByLoss, capped, expected_draws
from rarebird.slots.sampling_state import SamplingState

LOSS = np.random.default_rng(0).exponential(size=400)
ONES = np.ones(400)


def drawn(sampler: ByLoss, loss: np.ndarray | None, seed: int = 0) -> np.ndarray:
    y = np.zeros(400 if loss is None else len(loss))
    rows = np.concatenate(list(sampler(y, 32, np.random.default_rng(seed), SamplingState(last_loss=loss))))
    return np.bincount(rows, minlength=len(y))


def test_far_from_the_limit_draws_are_in_proportion() -> None:
    np.testing.assert_allclose(capped(LOSS, ONES, 50), LOSS / LOSS.mean())
    np.testing.assert_allclose(expected_draws(LOSS, ONES, 0.3, 50), 0.3 + 0.7 * LOSS / LOSS.mean())


@pytest.mark.parametrize("most", [1.01, 1.5, 3.0, 10.0])
@pytest.mark.parametrize(
    "loss", [LOSS, LOSS**6, np.r_[np.zeros(399), 1.0], np.ones(400)], ids=["mild", "wild", "one", "even"]
)
def test_limit_against_bisection(loss: np.ndarray, most: float) -> None:
    level = np.maximum(loss, 1e-6 * loss.max())
    low, high = 0.0, most / level.min()
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if np.minimum(middle * level, most).mean() < 1 else (low, middle)
    result = capped(loss, ONES, most)
    np.testing.assert_allclose(result, np.minimum(low * level, most), rtol=1e-6)
    assert result.mean() == pytest.approx(1)
    assert result.max() <= most


def test_equal_or_no_losses_draw_every_row_once() -> None:
    for loss in (None, np.full(400, np.nan), np.zeros(400), np.full(400, 2.5)):
        assert (drawn(ByLoss(), loss) == 1).all()
    assert (drawn(ByLoss.neutral(), LOSS) == 1).all()


def test_draws_follow_what_is_expected_of_them() -> None:
    expected = expected_draws(LOSS, ONES, 0.5, 4)
    for seed in range(5):
        times = drawn(ByLoss(), LOSS, seed)
        assert times.sum() == 400
        assert (np.abs(times - expected) < 1).all()
    mean = np.mean([drawn(ByLoss(), LOSS, seed) for seed in range(400)], axis=0)
    np.testing.assert_allclose(mean, expected, atol=0.15)


def test_unseen_rows_come_once() -> None:
    loss = LOSS.copy()
    loss[::3] = np.nan
    loss[1] = np.inf
    times = drawn(ByLoss(uniform=0), loss)
    assert (times[::3] == 1).all()
    assert times[1] == 1
    assert times.sum() == 400


def test_wrong_labels_take_a_bounded_share() -> None:
    loss = np.full(400, 1e-4)
    loss[:20] = 9.0
    assert drawn(ByLoss(), loss)[:20].sum() == pytest.approx(20 * (0.5 + 0.5 * 4), abs=1)


def test_regression_is_served_and_the_prior_unknown() -> None:
    assert ByLoss().prior_factor(np.array([5, 2])) is None
    np.testing.assert_array_equal(ByLoss.neutral().prior_factor(np.array([5, 2])), [1, 1])


@pytest.mark.parametrize("most", [1.5, 10.0])
def test_a_row_of_weight_k_is_expected_as_often_as_each_of_k_copies(most: float) -> None:
    times = np.random.default_rng(1).integers(1, 9, 400)
    weighted = expected_draws(LOSS, times.astype(float), 0.3, most)
    repeated = expected_draws(np.repeat(LOSS, times), np.ones(times.sum()), 0.3, most)
    np.testing.assert_allclose(np.repeat(weighted, times), repeated)


def test_draws_of_weighted_rows_have_a_mean_of_one_over_what_they_count_for() -> None:
    """One row of loss 8 that counts for ten, nine of loss 0 that count for one: the mean loss is 80 / 19."""
    loss, rows = np.array([8.0] + [0.0] * 9), np.array([10.0] + [1.0] * 9)
    y, state = np.zeros(10), SamplingState(last_loss=loss, rows=rows)
    sampler = ByLoss(uniform=0.5, most=10)
    mean = np.mean(
        [
            np.bincount(np.concatenate(list(sampler(y, 4, np.random.default_rng(seed), state))), minlength=10)
            for seed in range(600)
        ],
        axis=0,
    )
    np.testing.assert_allclose(mean, [0.5 + 0.5 * 19 / 10] + [0.5] * 9, atol=0.08)

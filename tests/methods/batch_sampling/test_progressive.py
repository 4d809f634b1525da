"""Progressively balanced batches: natural at first, balanced from four fifths of the training on, linear between."""

from __future__ import annotations

import numpy as np
import pytest

from rarebird.core.checks import DataError
from rarebird.methods.batch_sampling.class_balanced import ClassBalanced
from rarebird.methods.batch_sampling.progressive import Progressive, progressive_shares
from rarebird.slots.sampling_state import SamplingState

COUNTS = np.array([900, 90, 10])
Y = np.repeat([0, 1, 2], COUNTS)


def shown(progress: float) -> np.ndarray:
    drawn = np.concatenate(list(Progressive()(Y, 50, np.random.default_rng(0), SamplingState(progress=progress))))
    assert len(drawn) == len(Y)
    return np.bincount(Y[drawn], minlength=3)


def test_shares_are_linear_in_progress() -> None:
    np.testing.assert_allclose(progressive_shares(COUNTS, 0), COUNTS / 1000)
    np.testing.assert_allclose(progressive_shares(COUNTS, 0.4), (COUNTS / 1000 + 1 / 3) / 2)
    for end in (0.8, 0.9, 1.0):
        np.testing.assert_allclose(progressive_shares(COUNTS, end), 1 / 3)


def test_the_first_epoch_shows_every_row_once() -> None:
    first = np.concatenate(list(Progressive()(Y, 50, np.random.default_rng(0), SamplingState())))
    assert sorted(first) == list(range(len(Y)))


@pytest.mark.parametrize("progress", [0.0, 0.2, 0.5, 0.77, 1.0])
def test_draws_follow_the_shares(progress: float) -> None:
    assert (np.abs(shown(progress) - 1000 * progressive_shares(COUNTS, progress)) < 1 + 1e-9).all()


def test_the_prior_is_that_of_the_end() -> None:
    np.testing.assert_allclose(Progressive().prior_factor(COUNTS), ClassBalanced().prior_factor(COUNTS))
    np.testing.assert_allclose(Progressive().prior_factor(COUNTS) * COUNTS / 1000, progressive_shares(COUNTS, 1))


def test_numbers_are_refused() -> None:
    with pytest.raises(DataError, match="progressive draws by class, but regression has no classes"):
        list(Progressive()(np.linspace(0, 1, 10), 4, np.random.default_rng(0), SamplingState()))


@pytest.mark.parametrize("progress", [0.0, 0.4])
def test_shares_are_those_of_the_weighted_rows(progress: float) -> None:
    """Each rare row counts for nine: the natural mix is 900 : 90 : 90."""
    rows = np.where(Y == 2, 9.0, 1.0)
    state = SamplingState(progress=progress, rows=rows)
    drawn = np.concatenate(list(Progressive()(Y, 50, np.random.default_rng(0), state)))
    expected = 1000 * progressive_shares(np.array([900, 90, 90]), progress)
    assert (np.abs(np.bincount(Y[drawn], minlength=3) - expected) < 1 + 1e-9).all()

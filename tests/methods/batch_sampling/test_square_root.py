"""Square-root batches: shares in the proportion of the roots, spread evenly, between natural and balanced."""

from __future__ import annotations

import numpy as np
import pytest

from rarebird.core.checks import DataError
from rarebird.methods.batch_sampling.class_balanced import ClassBalanced
from rarebird.methods.batch_sampling.square_root import SquareRoot, root_shares
from rarebird.slots.sampling_state import SamplingState

Y = np.repeat([0, 1, 2], [900, 90, 10])


def test_a_hundredfold_imbalance_becomes_a_tenfold_one() -> None:
    shares = root_shares(np.array([900, 9]))
    assert shares[0] / shares[1] == pytest.approx(10)
    assert shares.sum() == pytest.approx(1)


def test_even_classes_keep_their_shares() -> None:
    np.testing.assert_allclose(root_shares(np.array([7, 7, 7])), 1 / 3)
    np.testing.assert_allclose(SquareRoot().prior_factor(np.array([7, 7, 7])), 1)


def test_an_epoch_has_as_many_draws_as_rows_and_each_class_its_share() -> None:
    drawn = np.concatenate(list(SquareRoot()(Y, 50, np.random.default_rng(0), SamplingState())))
    assert len(drawn) == len(Y)
    assert (np.abs(np.bincount(Y[drawn]) - 1000 * root_shares(np.bincount(Y))) < 1).all()
    times = np.bincount(drawn, minlength=len(Y))
    assert all(np.ptp(times[code == Y]) <= 1 for code in range(3))


def test_every_batch_is_near_the_shares() -> None:
    batches = list(SquareRoot()(Y, 50, np.random.default_rng(0), SamplingState()))
    assert len(batches) == 20
    for batch in batches:
        expected = len(batch) * root_shares(np.bincount(Y))
        assert (np.abs(np.bincount(Y[batch], minlength=3) - expected) <= 2).all()


def test_the_factor_is_the_geometric_mean_of_natural_and_balanced() -> None:
    counts = np.bincount(Y)
    middle = np.sqrt(ClassBalanced().prior_factor(counts))
    np.testing.assert_allclose(SquareRoot().prior_factor(counts), middle / (middle @ counts) * counts.sum())


def test_soft_targets_count_for_their_most_probable_class_and_numbers_are_refused() -> None:
    soft = 0.8 * np.eye(3)[Y] + 0.2 / 3
    hard, softened = (
        np.concatenate(list(SquareRoot()(y, 50, np.random.default_rng(0), SamplingState()))) for y in (Y, soft)
    )
    np.testing.assert_array_equal(hard, softened)
    with pytest.raises(DataError, match="square_root draws by class, but regression has no classes"):
        list(SquareRoot()(np.linspace(0, 1, 10), 4, np.random.default_rng(0), SamplingState()))


def test_shares_are_those_of_the_weighted_rows() -> None:
    """Each rare row counts for nine: the roots of 900 : 90 : 90."""
    state = SamplingState(rows=np.where(Y == 2, 9.0, 1.0))
    drawn = np.concatenate(list(SquareRoot()(Y, 50, np.random.default_rng(0), state)))
    expected = 1000 * root_shares(np.array([900, 90, 90]))
    assert (np.abs(np.bincount(Y[drawn], minlength=3) - expected) < 1 + 1e-9).all()

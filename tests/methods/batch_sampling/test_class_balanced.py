"""Class-balanced batches: equal shares in every batch, and each class runs through its rows before one comes again."""

from __future__ import annotations

import numpy as np
import pytest

from rarebird.core.checks import DataError
from rarebird.methods.batch_sampling.class_balanced import ClassBalanced, balanced_order
from rarebird.slots.sampling_state import SamplingState

Y = np.repeat([0, 1, 2], [900, 90, 10])


def test_every_batch_is_balanced() -> None:
    batches = list(ClassBalanced()(Y, 50, np.random.default_rng(0), SamplingState()))
    assert len(batches) == 20
    for batch in batches:
        counts = np.bincount(Y[batch], minlength=3)
        assert counts.max() - counts.min() <= 4


def test_an_epoch_has_as_many_draws_as_rows_in_equal_shares() -> None:
    order = balanced_order(Y, np.random.default_rng(0))
    assert len(order) == len(Y)
    assert sorted(np.bincount(Y[order])) == [333, 333, 334]


def test_rows_of_a_class_are_drawn_equally_often() -> None:
    times = np.bincount(balanced_order(Y, np.random.default_rng(0)), minlength=len(Y))
    for code in range(3):
        assert np.ptp(times[code == Y]) <= 1


def test_soft_targets_count_for_their_most_probable_class() -> None:
    soft = 0.8 * np.eye(3)[Y] + 0.2 / 3
    hard, softened = (list(ClassBalanced()(y, 50, np.random.default_rng(0), SamplingState())) for y in (Y, soft))
    np.testing.assert_array_equal(np.concatenate(hard), np.concatenate(softened))


def test_numbers_are_refused() -> None:
    with pytest.raises(DataError, match="class_balanced draws by class, but regression has no classes"):
        list(ClassBalanced()(np.linspace(0, 1, 10), 4, np.random.default_rng(0), SamplingState()))


def test_the_order_of_the_classes_is_drawn_anew_in_each_round() -> None:
    rounds = Y[balanced_order(Y, np.random.default_rng(0))][:999].reshape(-1, 3)
    assert len(np.unique(rounds, axis=0)) == 6


def test_the_factor_is_equal_shares_divided_by_the_natural_ones() -> None:
    factor = ClassBalanced().prior_factor(np.array([900, 90, 0, 10]))
    np.testing.assert_allclose(factor[[0, 1, 3]], 1000 / (3 * np.array([900, 90, 10])))
    assert np.isfinite(factor).all()

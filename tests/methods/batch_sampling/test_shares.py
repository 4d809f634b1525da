"""What samplers share: whole numbers with given means and a given sum, and orders that hold the shares everywhere."""

from __future__ import annotations

import numpy as np

from rarebird.methods.batch_sampling._shares import order_in_shares, rounded


def test_rounding_is_to_a_neighbor_unbiased_and_keeps_the_sum() -> None:
    expected = np.array([0.2, 3.7, 0.05, 5.0, 1.05])
    drawn = np.array([rounded(expected, np.random.default_rng(seed)) for seed in range(4000)])
    assert (drawn.sum(axis=1) == 10).all()
    assert (np.abs(drawn - expected) < 1).all()
    np.testing.assert_allclose(drawn.mean(axis=0), expected, atol=0.03)


def test_whole_numbers_stay() -> None:
    for seed in range(50):
        np.testing.assert_array_equal(rounded(np.ones(1000), np.random.default_rng(seed)), 1)


def test_natural_shares_show_every_row_once_and_each_stretch_in_proportion() -> None:
    codes = np.random.default_rng(0).permutation(np.repeat([0, 1, 4], [80, 15, 5]))
    order = order_in_shares(codes, np.array([0.8, 0.15, 0.05]), np.random.default_rng(1))
    assert sorted(order) == list(range(100))
    for stretch in np.split(codes[order], 5):
        assert (stretch == 0).sum() in (15, 16, 17)
        assert (stretch == 4).sum() == 1

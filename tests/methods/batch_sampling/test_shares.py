"""What samplers share: whole numbers with given means and a given sum, and orders that hold the shares everywhere."""

from __future__ import annotations

import numpy as np

from rarebird.methods.batch_sampling._shares import (
    drawn_evenly,
    occupied,
    order_in_shares,
    rounded,
    rows_per_class,
    scaled,
)


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


def test_each_draw_has_a_place_of_its_own_within_its_stretch() -> None:
    """Classes of equal shares do not alternate in one fixed order."""
    codes = np.repeat([0, 1], 100)
    rounds = codes[order_in_shares(codes, np.array([0.5, 0.5]), np.random.default_rng(0))].reshape(-1, 2)
    assert 20 < (rounds[:, 0] == 0).sum() < 80


def test_rows_are_drawn_in_proportion_to_what_they_count_for() -> None:
    """A row of weight 3 among rows of 1 and 2: half of the draws, up to one; without weights all before one again."""
    own, rows = np.array([4, 7, 9]), np.array([1.0, 2.0, 3.0])
    for seed in range(20):
        drawn = drawn_evenly(own, 12, np.random.default_rng(seed), rows)
        assert np.bincount(drawn, minlength=10)[own].tolist() == [2, 4, 6]
        odd = np.bincount(drawn_evenly(own, 13, np.random.default_rng(seed), rows), minlength=10)[own]
        assert odd.sum() == 13
        assert (np.abs(odd - 13 * rows / 6) < 1).all()
        plain = drawn_evenly(own, 8, np.random.default_rng(seed))
        assert set(plain[:3]) == set(plain[3:6]) == set(own)
    assert len({tuple(drawn_evenly(own, 12, np.random.default_rng(seed), rows)) for seed in range(9)}) > 1
    assert drawn_evenly(own, 0, np.random.default_rng(0)).tolist() == []


def test_rows_of_a_class_sum_what_they_count_for() -> None:
    codes, rows = np.array([5, 2, 5, 2, 2]), np.array([1.0, 2.0, 0.5, 4.0, 1.0])
    np.testing.assert_array_equal(rows_per_class(codes, rows), [7, 1.5])
    np.testing.assert_array_equal(rows_per_class(codes, None), [3, 2])


def test_factors_have_mean_one_and_empty_classes_count_one_row() -> None:
    counts = np.array([6.0, 0.0, 2.0])
    np.testing.assert_array_equal(occupied(counts), [6, 1, 2])
    np.testing.assert_array_equal(occupied(np.array([0.5, 0.0])), [0.5, 1])
    np.testing.assert_allclose(scaled(np.array([1.0, 5.0, 3.0]), counts), np.array([1.0, 5.0, 3.0]) * 8 / 12)

"""The paired interval of a difference of shares: its coverage, its symmetry, and that it has width without a change."""

from __future__ import annotations

import numpy as np
import pytest

from rarebird.metrics.paired_share import paired_difference, weighted_difference


def test_it_turns_around_with_the_rows() -> None:
    value, low, high = paired_difference(7, 2, 40)
    assert paired_difference(2, 7, 40) == pytest.approx((-value, -high, -low))
    assert value == pytest.approx(-5 / 40)


def test_rows_that_do_not_change_leave_an_interval_that_shrinks_with_their_number() -> None:
    widths = [high - low for _, low, high in (paired_difference(0, 0, n) for n in (1, 10, 100, 1000))]
    assert widths[-1] > 0
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize("n", [15, 80])
def test_the_interval_contains_the_truth_as_often_as_it_says(n: int) -> None:
    rng = np.random.default_rng(0)
    draws = rng.multinomial(n, [0.1, 0.04, 0.86], size=4000)
    covered = [low <= -0.06 <= high for _, low, high in (paired_difference(int(a), int(b), n) for a, b, _ in draws)]
    assert np.mean(covered) > 0.94


def test_it_stays_within_its_range_and_contains_its_value() -> None:
    for lost, gained in ((5, 0), (0, 5), (5, 0), (2, 3)):
        value, low, high = paired_difference(lost, gained, 5)
        assert -1 <= low <= value <= high <= 1
    with pytest.raises(ValueError, match="changes are rows"):
        paired_difference(3, 3, 5)


def test_weights_and_groups_count_as_in_every_figure() -> None:
    """Equal weights change nothing, a share is that of the weights, and rows that belong together tell less."""
    rng = np.random.default_rng(0)
    was, now = rng.random((2, 60)) < 0.6
    ones = np.ones(60)
    plain = paired_difference(int((was & ~now).sum()), int((now & ~was).sum()), 60)
    assert weighted_difference(was, now, 3 * ones, None) == pytest.approx(plain)
    weight = np.where(was & ~now, 0.0, 1.0)
    assert weighted_difference(was, now, weight, None)[0] == pytest.approx((now & ~was).sum() / weight.sum())
    few = weighted_difference(np.repeat(was, 5), np.repeat(now, 5), np.ones(300), np.repeat(np.arange(60), 5))
    many = weighted_difference(np.repeat(was, 5), np.repeat(now, 5), np.ones(300), None)
    assert few[0] == pytest.approx(many[0])
    assert few[2] - few[1] > 1.5 * (many[2] - many[1])
    assert weighted_difference(was, now, 0 * ones, None) is None

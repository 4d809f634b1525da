"""Majority parts: no class above the ratio, nothing again before all have come, folds that start apart, a true prior
factor."""

from __future__ import annotations

import numpy as np
import pytest

from rarebird.core.checks import DataError
from rarebird.methods.batch_sampling import majority_parts as module
from rarebird.methods.batch_sampling.class_balanced import ClassBalanced
from rarebird.methods.batch_sampling.majority_parts import MajorityParts, part_sizes, parts
from rarebird.slots.sampling_state import SamplingState

COUNTS = np.array([103, 40, 10])
Y = np.repeat([0, 1, 2], COUNTS)


@pytest.mark.parametrize("ratio", [1.0, 2.5, 6.0])
def test_a_part_holds_each_class_up_to_the_ratio(ratio: float) -> None:
    cycle = parts(Y, ratio, np.random.default_rng(0))
    expected = np.minimum(COUNTS, ratio * 10)
    assert all((np.bincount(Y[part]) == expected).all() for part in cycle)
    assert len(cycle) == np.ceil((COUNTS / expected).max())


def test_rare_rows_are_in_every_part_and_all_others_come_before_one_comes_again() -> None:
    cycle = parts(Y, 1.0, np.random.default_rng(0))
    assert all(set(np.flatnonzero(Y == 2)) <= set(part) for part in cycle)
    for code in (0, 1):
        drawn = cycle[Y[cycle] == code].reshape(len(cycle), -1)
        whole = COUNTS[code] // 10
        assert len(set(drawn[:whole].ravel())) == 10 * whole
        times = np.bincount(drawn.ravel(), minlength=len(Y))[code == Y]
        assert times.min() >= 1
        assert np.ptp(times) <= 1


def test_classes_are_mixed_evenly_within_a_part() -> None:
    batches = list(MajorityParts()(Y, 30, np.random.default_rng(0), SamplingState()))
    assert len(batches) == 11
    for batch in batches:
        counts = np.bincount(Y[batch], minlength=3)
        assert counts.max() - counts.min() <= 4


def test_folds_start_at_different_parts_that_make_up_the_majority_together() -> None:
    def first(fold: int) -> np.ndarray:
        return next(iter(MajorityParts(ratio=1)(Y[:143], 80, np.random.default_rng(0), SamplingState(fold=fold))))

    firsts = [first(fold) for fold in range(3)]
    assert len(firsts[0]) == 80
    majority = [set(rows[Y[rows] == 0]) for rows in firsts]
    assert majority[0] | majority[1] | majority[2] == set(range(103))
    assert np.array_equal(first(0), first(3)), "as many parts as folds: the fourth fold starts where the first did"


def test_ratios_beyond_the_imbalance_show_every_row_once() -> None:
    drawn = np.concatenate(list(MajorityParts(ratio=20)(Y, 30, np.random.default_rng(0), SamplingState())))
    assert sorted(drawn) == list(range(len(Y)))
    np.testing.assert_allclose(MajorityParts(ratio=20).prior_factor(COUNTS), 1)


def test_prior_factor() -> None:
    np.testing.assert_allclose(MajorityParts().prior_factor(COUNTS), ClassBalanced().prior_factor(COUNTS))
    factor = MajorityParts(ratio=2).prior_factor(np.array([103, 0, 10]))
    np.testing.assert_allclose(factor[[0, 2]] * [103, 10] / 113, [20 / 30, 10 / 30])
    assert np.isfinite(factor).all()
    np.testing.assert_array_equal(part_sizes(COUNTS, 10, 1.26), [13, 13, 10])


def test_numbers_are_refused() -> None:
    with pytest.raises(DataError, match="majority_parts draws by class, but regression has no classes"):
        list(MajorityParts()(np.linspace(0, 1, 10), 4, np.random.default_rng(0), SamplingState()))


def test_the_fold_after_begins_with_the_part_after() -> None:
    """Four parts of the majority, three folds: each begins where the one before has its second part."""
    y = np.repeat([0, 1], [40, 10])
    orders = [
        np.concatenate(list(MajorityParts()(y, 20, np.random.default_rng(0), SamplingState(fold=fold))))
        for fold in range(4)
    ]
    for fold in range(3):
        np.testing.assert_array_equal(orders[fold][20:], orders[fold + 1][:-20])


def test_weighted_rows_count_towards_the_sizes_and_the_parts() -> None:
    """Rows of the rare class count for three: 30, so that 103 of the common one come in four parts of 30."""
    rows = np.where(Y == 2, 3.0, 1.0)
    cycle = parts(Y, 1.0, np.random.default_rng(0), rows)
    assert cycle.shape == (4, 90)
    assert all((np.bincount(Y[part]) == 30).all() for part in cycle)
    assert len(np.unique(cycle)) == len(Y)


def test_large_and_small_classes_are_mixed_over_the_whole_part() -> None:
    """With a ratio of 4 the rare class has a fifth of each fifth of a part, and the orders of parts differ."""
    cycle = parts(np.repeat([0, 1], [80, 10]), 4.0, np.random.default_rng(0))
    assert cycle.shape == (2, 50)
    for part in cycle >= 80:
        assert all(1 <= fifth.sum() <= 3 for fifth in np.split(part, 5))
    assert not np.array_equal(cycle[0] >= 80, cycle[1] >= 80)


def test_a_cycle_has_no_more_draws_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 103 : 40 : 10 rows in balanced parts, 75 draws are two parts and 20 draws are parts of about seven each."""
    monkeypatch.setattr(module, "MOST_DRAWS", 75)
    assert parts(Y, 1.0, np.random.default_rng(0)).shape == (2, 30)
    monkeypatch.setattr(module, "MOST_DRAWS", 20)
    assert part_sizes(COUNTS, 10, 1.0).tolist() == [7, 7, 7]
    assert part_sizes(np.array([100.0, 1.0]), 1.0, 500.0).tolist() == [20, 1]

"""Intervals: formulas by hand, what the bootstrap draws, and how often the intervals hold the truth."""

from __future__ import annotations

import numpy as np
import pytest

from rarebird.metrics import confusion, uncertainty
from rarebird.metrics.confusion import tally


def drawn(strata: np.ndarray, group: np.ndarray | None = None, replicates: int = 300, seed: int = 0) -> np.ndarray:
    return np.concatenate(
        list(uncertainty.bootstrap_weights(strata, group, replicates, np.random.default_rng(seed))), axis=1
    )


def test_wilson_by_hand() -> None:
    # 8 of 10, from the published formula with z = 1.96: 0.4902, 0.9433 (as statsmodels' proportion_confint(8, 10,
    # method="wilson")).
    low, high = uncertainty.wilson(0.8, 10)
    assert (float(low), float(high)) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))
    # The ends are where the score test turns: (p - end)^2 = z^2 end (1 - end) / n.
    for end in (low, high):
        assert (0.8 - end) ** 2 == pytest.approx(uncertainty.Z**2 * end * (1 - end) / 10)
    z2 = uncertainty.Z**2
    assert [float(end) for end in uncertainty.wilson(1.0, 5)] == [pytest.approx(5 / (5 + z2)), pytest.approx(1.0)]
    assert [float(end) for end in uncertainty.wilson(0.0, 5)] == [pytest.approx(0.0), pytest.approx(z2 / (5 + z2))]


def test_wilson_narrows_and_refuses_no_rows() -> None:
    low, high = uncertainty.wilson(np.full(3, 0.3), np.array([10, 100, 10**6]))
    assert (np.diff(high - low) < 0).all()
    assert high[2] - low[2] == pytest.approx(2 * uncertainty.Z * np.sqrt(0.3 * 0.7 / 1e6), rel=1e-3), (
        "the textbook interval on many rows"
    )
    with pytest.raises(ValueError, match="n > 0"):
        uncertainty.wilson(0.5, 0)


def of_shares(shares: np.ndarray, n: np.ndarray) -> tuple[float, float]:
    """Interval of the mean of independent shares."""
    mean, (low, high) = float(shares.mean()), uncertainty.wilson(shares, n)
    return uncertainty.square_and_add(mean, mean + (low - shares) / len(shares), mean + (high - shares) / len(shares))


def test_square_and_add_is_wilson_for_one_share_and_narrows_for_many() -> None:
    alone = of_shares(np.array([0.7]), np.array([40]))
    assert alone == pytest.approx([float(end) for end in uncertainty.wilson(0.7, 40)])
    four = of_shares(np.full(4, 0.7), np.full(4, 40))
    assert four[1] - four[0] == pytest.approx((alone[1] - alone[0]) / 2), "independent errors average out with the root"


def test_square_and_add_by_hand_with_a_falling_figure_and_dependence() -> None:
    # A difference of .9 of 50 and .6 of 40 (Newcombe 1998, method 10).
    (l1, u1), (l2, u2) = ([float(end) for end in uncertainty.wilson(share, n)] for share, n in ((0.9, 50), (0.6, 40)))
    low, high = uncertainty.square_and_add(0.3, np.array([l1 - 0.6, 0.9 - l2]), np.array([u1 - 0.6, 0.9 - u2]))
    assert low == pytest.approx(0.3 - np.hypot(0.9 - l1, u2 - 0.6))
    assert high == pytest.approx(0.3 + np.hypot(u1 - 0.9, 0.6 - l2))
    # Wholly dependent shares: distances add up in a sum, and cancel in a difference.
    same = np.ones((2, 2))
    assert uncertainty.square_and_add(1.0, np.array([0.9, 0.9]), np.array([1.1, 1.1]), same) == pytest.approx(
        (0.8, 1.2)
    )
    assert uncertainty.square_and_add(1.0, np.array([0.9, 1.1]), np.array([1.1, 0.9]), same) == pytest.approx((1, 1))


def test_the_interval_of_an_roc_area_turns_where_its_score_test_does() -> None:
    for area, positives, negatives in ((0.9, 5, 200), (0.6, 30, 30), (0.999, 12, 7)):
        low, high = uncertainty.auc_interval(area, positives, negatives)
        assert 0 < low < area < high < 1
        for end in (low, high):
            # Hanley and McNeil's variance with the mean of the two sizes.
            size = (positives + negatives) / 2
            spread = 1 + (size - 1) * ((1 - end) / (2 - end) + end / (1 + end))
            assert (area - end) ** 2 == pytest.approx(
                uncertainty.Z**2 * end * (1 - end) * spread / (positives * negatives), rel=1e-6
            )
        assert uncertainty.auc_interval(1 - area, positives, negatives) == pytest.approx((1 - high, 1 - low))
    low, high = uncertainty.auc_interval(1.0, 5, 200)
    assert 0.5 < low < 0.9
    assert high == 1.0
    assert uncertainty.auc_interval(1.0, 50, 200)[0] > low


def test_effective_rows_by_hand() -> None:
    weight, hit = np.ones(20), np.repeat([1.0, 0.0, 1.0, 1.0], 5)
    group = np.repeat(np.arange(4), 5)
    assert uncertainty.effective_rows(weight, hit - hit.mean(), None) == 20
    assert uncertainty.effective_rows(weight, hit - hit.mean(), np.arange(20)) == 20, "a group of one is no group"
    # All rows of a group alike: as many as groups. No mistake at all: the same, for nothing tells otherwise.
    assert uncertainty.effective_rows(weight, hit - hit.mean(), group) == pytest.approx(4)
    assert uncertainty.effective_rows(weight, np.zeros(20), group) == 4
    # Groups as different as chance makes them: Korn and Graubard's formula, with t on 9 degrees of freedom.
    rng = np.random.default_rng(1)
    many, group = (rng.random(100) < 0.8).astype(float), np.repeat(np.arange(10), 10)
    residual = many - many.mean()
    design = (np.bincount(group, residual) ** 2).sum() * 10 / 9 / (residual**2).sum()
    expected = 100 / design * (uncertainty.Z / 2.2621572) ** 2
    assert 10 < expected < 100
    assert uncertainty.effective_rows(np.ones(100), residual, group) == pytest.approx(expected)
    weight = rng.uniform(0.5, 3, 100)
    assert uncertainty.effective_rows(weight, residual, None) == pytest.approx(weight.sum() ** 2 / (weight**2).sum())
    assert uncertainty.effective_rows(7 * weight, residual, group) == pytest.approx(
        uncertainty.effective_rows(weight, residual, group)
    )


def test_correlation_within_groups() -> None:
    errors = np.array([[0.1, -0.1, 0.0, 0.0], [0.0, 0.0, 0.1, -0.1], [0.0] * 4])
    together = uncertainty.group_correlation(errors, np.array([0, 1, 0, 1]), unknown=0.5)
    np.testing.assert_allclose(together, [[1, 1, 0.5], [1, 1, 0.5], [0.5, 0.5, 1]])
    np.testing.assert_allclose(uncertainty.group_correlation(errors, None), np.eye(3))


def test_effective_size() -> None:
    assert uncertainty.effective_size(np.full(12, 3.0)) == pytest.approx(12)
    assert uncertainty.effective_size(np.array([1.0, 0, 0])) == 1.0
    assert uncertainty.effective_size(np.zeros(3)) == 0.0


def test_the_bootstrap_keeps_every_stratum_and_has_the_multinomials_moments() -> None:
    strata = np.repeat([0, 1, 2], [50, 7, 1])
    counts = drawn(strata, replicates=4000)
    assert counts.shape == (58, 4000)
    for stratum, n in enumerate((50, 7, 1)):
        part = counts[strata == stratum]
        assert (part.sum(axis=0) == n).all()
        assert part.mean() == 1.0
        assert part.var() == pytest.approx(1 - 1 / n, rel=0.03)


def test_groups_are_drawn_whole_and_rare_classes_stay() -> None:
    rng = np.random.default_rng(0)
    group = rng.integers(40, size=400)
    strata = ((group < 4) & (rng.random(400) < 0.5)).astype(int)
    counts = drawn(strata, np.array([f"patient {g}" for g in group]))
    for g in range(40):
        assert (counts[group == g] == counts[group == g][0]).all()
    assert (counts[strata == 1].sum(axis=0) > 0).all()


def test_parts_change_no_total_and_seeds_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    strata = np.repeat([0, 1], [30, 10])
    assert np.array_equal(drawn(strata), drawn(strata))
    assert not np.array_equal(drawn(strata), drawn(strata, seed=1))
    monkeypatch.setattr(uncertainty, "_CELLS", 1)
    parts = list(uncertainty.bootstrap_weights(strata, None, 100, np.random.default_rng(0)))
    assert [part.shape[1] for part in parts] == [32, 32, 32, 4]


def test_parts_of_millions_of_rows_stay_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uncertainty, "_MOST_CELLS", 100)
    parts = list(uncertainty.bootstrap_weights(np.repeat([0, 1], [30, 10]), None, 5, np.random.default_rng(0)))
    assert [part.shape for part in parts] == [(40, 2), (40, 2), (40, 1)]


def test_intervals_hold_the_value_and_pass_over_undefined_replicates() -> None:
    assert uncertainty.percentile(np.full(5, np.nan), 0.5) is None
    assert uncertainty.percentile(np.array([0.4, np.nan, 0.6]), 0.7) == (pytest.approx(0.405), 0.7)


def test_replicates_stay_between_their_bounds() -> None:
    assert uncertainty.replicates_for(1) == uncertainty.replicates_for(10_000) == 1000
    assert uncertainty.replicates_for(100_000) == uncertainty.replicates_for(10**9) == 200


def test_coverage_of_the_bootstrap_on_many_rows() -> None:
    # F1 of a class with 100 rows among 400: the nominal 95 % within what 300 samples can tell (three standard errors
    # are 3.8 %).
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [300, 100])
    found, false = 0.7, 0.1
    truth, held = 2 * 70 / (100 + 70 + 30), 0
    for sample in range(300):
        predicted = (rng.random(400) < np.where(y == 1, found, false)).astype(int)
        value = float(confusion.f1(tally(y, predicted, 2, np.ones(400)))[1])
        draws = confusion.f1(tally(y, predicted, 2, drawn(y, replicates=200, seed=sample)))[1]
        low, high = uncertainty.percentile(draws, value) or (np.nan, np.nan)
        held += low <= truth <= high
    assert 0.91 <= held / 300 <= 0.99


def test_coverage_of_the_mean_of_shares_with_rare_classes() -> None:
    rng = np.random.default_rng(0)
    n, recalls = np.array([60, 40, 10, 4, 1]), np.array([0.9, 0.8, 0.7, 0.7, 0.6])
    shares = rng.binomial(n, recalls, size=(1000, 5)) / n
    ends = [of_shares(share, n) for share in shares]
    held = np.mean([low <= recalls.mean() <= high for low, high in ends])
    assert 0.91 <= held <= 0.99


@pytest.mark.parametrize(("size", "icc"), [(1, 0.0), (5, 0.5), (20, 0.5)])
def test_coverage_of_a_share_of_grouped_rows(size: int, icc: float) -> None:
    """Of 60 rows, 80 % are found; those of a group agree: rows counted as independent would hold the truth in .72 of
    samples at 20 rows a group."""
    rng = np.random.default_rng(size)
    group, held = np.repeat(np.arange(60 // size), size), 0
    for _ in range(600):
        alike = np.sqrt(icc) * rng.normal(size=60 // size)[group] + np.sqrt(1 - icc) * rng.normal(size=60)
        hit = (alike < 0.8416).astype(float)
        n = uncertainty.effective_rows(np.ones(60), hit - hit.mean(), group)
        low, high = uncertainty.wilson(hit.mean(), n)
        held += bool(low <= 0.8 <= high)
    assert 0.93 <= held / 600 <= 0.995


def test_stratified_intervals_speak_of_a_given_mix_of_classes() -> None:
    # Two classes of 90 and 10 %, whose rows cost .1 and 2: the mean cost is known exactly, and varies with the mix
    # alone.
    cost, truth, held = np.array([0.1, 2.0]), 0.29, 0
    rng = np.random.default_rng(0)
    for sample in range(100):
        y = (rng.random(300) < 0.1).astype(int)
        weights = drawn(y, replicates=50, seed=sample)
        low, high = uncertainty.percentile(cost[y] @ weights / 300, float(cost[y].mean())) or (np.nan, np.nan)
        assert high - low < 1e-6, "no spread where the mix is given"
        held += low <= truth <= high
    assert held < 50, "so a mix left to chance is not covered, as the docstring says"

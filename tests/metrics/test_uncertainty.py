"""Intervals: formulas by hand, what the bootstrap draws, and how often the intervals hold the truth."""

from __future__ import annotations

import numpy as np
import pytest

from rarebird.metrics import calibration, confusion, uncertainty
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


def test_mean_of_shares_is_wilson_for_one_and_narrows_for_many() -> None:
    alone = uncertainty.mean_of_shares(np.array([0.7]), np.array([40]))
    assert alone == pytest.approx([float(end) for end in uncertainty.wilson(0.7, 40)])
    four = uncertainty.mean_of_shares(np.full(4, 0.7), np.full(4, 40))
    assert four[1] - four[0] == pytest.approx((alone[1] - alone[0]) / 2), "independent errors average out with the root"


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


def test_intervals_hold_the_value_and_pass_over_undefined_replicates() -> None:
    assert uncertainty.percentile(np.full(5, np.nan), 0.5) is None
    assert uncertainty.reflected(np.full(5, np.nan), 0.5) is None
    assert uncertainty.percentile(np.array([0.4, np.nan, 0.6]), 0.7) == (pytest.approx(0.405), 0.7)
    low, high = uncertainty.reflected(np.linspace(0.03, 0.05, 101), 0.02) or (np.nan, np.nan)
    assert low == 0.0
    assert high == 0.02, "noise lifts the replicates, so the truth lies below the value"


def test_replicates_stay_between_their_bounds() -> None:
    assert uncertainty.replicates_for(1) == uncertainty.replicates_for(10_000) == 1000
    assert uncertainty.replicates_for(10_000, passes=10) == uncertainty.replicates_for(10**9) == 200


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
    ends = [uncertainty.mean_of_shares(share, n) for share in shares]
    held = np.mean([low <= recalls.mean() <= high for low, high in ends])
    assert 0.91 <= held <= 0.99


def test_reflection_helps_where_noise_lifts_the_calibration_error() -> None:
    # A gap of .02 on 200 rows, of which chance alone makes some .06. It is no cure: `reflected` says where percentiles
    # do better.
    rng = np.random.default_rng(0)
    chance = rng.uniform(0.5, 0.9, size=200)
    bold, held = np.c_[chance + 0.02, 0.98 - chance], np.zeros(2)
    for sample in range(100):
        y = (rng.random(200) > chance).astype(int)
        value = float(calibration.expected_calibration_error(y, bold, np.ones(200)))
        draws = calibration.expected_calibration_error(y, bold, drawn(y, replicates=200, seed=sample))
        for method, interval in enumerate((uncertainty.reflected, uncertainty.percentile)):
            low, high = interval(draws, value) or (np.nan, np.nan)
            held[method] += low <= 0.02 <= high
    assert held[0] >= 65
    assert held[1] <= 5


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

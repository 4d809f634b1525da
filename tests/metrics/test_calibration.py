"""Figures of probabilities: scikit-learn as referee, the calibration error by its definition, limits and
invariances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as referee

from rarebird.metrics import calibration

Case = tuple[np.ndarray, np.ndarray, np.ndarray]
FIGURES = [calibration.log_loss, calibration.brier_score, calibration.expected_calibration_error]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    n_classes, n = draw(st.integers(2, 5)), draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    probabilities = rng.dirichlet(np.full(n_classes, draw(st.sampled_from([0.2, 1.0, 5.0]))), size=n)
    weight = np.ones(n) if draw(st.booleans()) else rng.uniform(0.1, 3.0, size=n)
    return rng.integers(n_classes, size=n), probabilities, weight


@settings(max_examples=80, deadline=None)
@given(case=cases())
def test_losses_equal_scikit_learns(case: Case) -> None:
    y, probabilities, weight = case
    labels = list(range(probabilities.shape[1]))
    assert calibration.log_loss(*case) == pytest.approx(
        referee.log_loss(y, probabilities, labels=labels, sample_weight=weight), rel=1e-9
    )
    given = probabilities[:, 1] if len(labels) == 2 else probabilities
    assert calibration.brier_score(*case) == pytest.approx(
        referee.brier_score_loss(y, given, labels=labels, sample_weight=weight), rel=1e-9, abs=1e-12
    )


@settings(max_examples=80, deadline=None)
@given(case=cases())
def test_calibration_error_by_its_definition(case: Case) -> None:
    y, probabilities, weight = case
    top, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == y
    expected = 0.0
    for low, high in zip(np.linspace(0, 1, 16)[:-1], np.linspace(0, 1, 16)[1:], strict=True):
        inside = (top > low) & (top <= high)
        if inside.any():
            gap = np.average(right[inside], weights=weight[inside]) - np.average(top[inside], weights=weight[inside])
            expected += weight[inside].sum() / weight.sum() * abs(gap)
    assert calibration.expected_calibration_error(*case) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(case=cases())
def test_the_reliability_curve_adds_up_to_the_calibration_error(case: Case) -> None:
    y, probabilities, _ = case
    bins = calibration.reliability_curve(y, probabilities, np.ones(len(y)))
    assert sum(b["count"] for b in bins) == len(y)
    error = sum(b["count"] * abs(b["accuracy"] - b["confidence"]) for b in bins) / len(y)
    assert calibration.expected_calibration_error(y, probabilities, np.ones(len(y))) == pytest.approx(error, abs=1e-12)


@pytest.mark.parametrize("figure", FIGURES)
@settings(max_examples=30, deadline=None)
@given(case=cases())
def test_invariances(figure, case: Case) -> None:  # type: ignore[no-untyped-def]
    y, probabilities, weight = case
    value = figure(*case)
    order = np.random.default_rng(0).permutation(probabilities.shape[1])
    assert figure(order[y], probabilities[:, np.argsort(order)], weight) == pytest.approx(value, abs=1e-9), (
        "classes renamed"
    )
    times = np.random.default_rng(1).integers(0, 3, size=(len(y), 4))
    times[0] = 1
    together = figure(y, probabilities, times.astype(np.float32))
    for column, expected in enumerate(together):
        repeated = np.repeat(np.arange(len(y)), times[:, column])
        assert figure(y[repeated], probabilities[repeated], np.ones(len(repeated))) == pytest.approx(
            expected, abs=1e-9
        ), "weight 2"


def test_limits() -> None:
    y = np.array([0, 1, 1])
    sure = np.eye(2)[y]
    assert [float(figure(y, sure, np.ones(3))) for figure in FIGURES] == [0.0, 0.0, 0.0]
    wrong = [float(figure(1 - y, sure, np.ones(3))) for figure in FIGURES]
    assert wrong == [pytest.approx(-np.log(np.finfo(float).eps)), 1.0, 1.0]
    even = np.full((3, 4), 0.25)
    assert calibration.log_loss(y, even, np.ones(3)) == pytest.approx(np.log(4))
    assert calibration.brier_score(y, even, np.ones(3)) == pytest.approx(0.75)


def test_calibrated_rows_have_a_small_error_and_overconfident_ones_their_gap() -> None:
    rng = np.random.default_rng(0)
    chance = rng.uniform(0.5, 1.0, size=100_000)
    y = (rng.random(100_000) > chance).astype(int)
    assert calibration.expected_calibration_error(y, np.c_[chance, 1 - chance], np.ones(len(y))) < 0.01
    bold = np.minimum(chance + 0.1, 1.0)
    gap = np.mean(bold - chance)
    assert calibration.expected_calibration_error(y, np.c_[bold, 1 - bold], np.ones(len(y))) == pytest.approx(
        gap, abs=0.01
    )


def of_class(n: int, prior: float, stated: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of a class that is stated with one probability."""
    return np.arange(n) < round(prior * n), np.full(n, stated), np.ones(n)


def test_a_rare_class_of_twice_the_stated_probability_is_not_hidden_by_common_rows() -> None:
    is_class, stated, weight = of_class(5000, 0.02, 0.04)
    y = is_class.astype(int)
    top = float(calibration.expected_calibration_error(y, np.c_[1 - stated, stated], weight))
    assert top == pytest.approx(0.02)
    found = calibration.class_calibration(is_class, stated, weight)
    assert found is not None
    assert found.value == pytest.approx(1.0, abs=0.02)
    assert 0.5 < found.low < 1.0 < found.high < 1.5
    assert len(found.bins) == 1
    assert found.bins[0]["stated"] == pytest.approx(0.04)
    assert (found.bins[0]["share"], found.bins[0]["count"]) == (0.02, 5000)


def test_the_class_calibration_has_width_at_a_perfect_score_and_needs_rows_of_the_class() -> None:
    is_class = np.arange(40) < 8
    found = calibration.class_calibration(is_class, is_class.astype(float), np.ones(40))
    assert found is not None
    assert (found.value, found.low) == (0.0, 0.0)
    assert 0.2 < found.high < 1.0
    assert calibration.class_calibration(np.zeros(9, dtype=bool), np.full(9, 0.1), np.ones(9)) is None


def test_bins_state_equal_amounts_and_hold_all_rows() -> None:
    rng = np.random.default_rng(0)
    stated = rng.beta(0.3, 6, 8000)
    found = calibration.class_calibration(rng.random(8000) < stated, stated, np.ones(8000))
    assert found is not None
    amounts = [entry["stated"] * entry["count"] for entry in found.bins]
    assert len(amounts) == calibration.CLASS_BINS
    np.testing.assert_allclose(amounts, sum(amounts) / len(amounts), rtol=0.02)
    assert sum(entry["count"] for entry in found.bins) == 8000
    assert all(entry["low"] < entry["share"] < entry["high"] for entry in found.bins)
    # Rows of one probability are never divided among bins.
    few = np.round(stated, 1)
    found = calibration.class_calibration(rng.random(8000) < stated, few, np.ones(8000))
    assert found is not None
    assert sum(entry["count"] for entry in found.bins) == 8000
    edges = [entry["stated"] for entry in found.bins]
    assert edges == sorted(edges)


def test_the_scale_of_weights_changes_nothing_and_rows_without_weight_do_not_count() -> None:
    rng = np.random.default_rng(0)
    stated, weight = rng.beta(1, 9, 900), rng.uniform(0.5, 2, 900)
    is_class = rng.random(900) < stated
    found = calibration.class_calibration(is_class, stated, weight)
    scaled = calibration.class_calibration(is_class, stated, 7 * weight)
    more = calibration.class_calibration(np.r_[is_class, True], np.r_[stated, 0.9], np.r_[weight, 0.0])
    assert found is not None
    assert scaled is not None
    for other in (scaled, more):
        assert other is not None
        assert (other.value, other.low, other.high) == pytest.approx((found.value, found.low, found.high))
    heavy = calibration.class_calibration(is_class, stated, np.where(is_class, 3.0, 1.0))
    assert heavy is not None
    assert heavy.value > found.value + 0.2


def test_rows_of_a_group_count_as_fewer() -> None:
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(60), 10)
    stated = np.full(600, 0.3)
    is_class = (rng.random(60) < 0.3)[group]
    alone = calibration.class_calibration(is_class, stated, np.ones(600))
    grouped = calibration.class_calibration(is_class, stated, np.ones(600), group)
    assert alone is not None
    assert grouped is not None
    assert grouped.high - grouped.low > 1.5 * (alone.high - alone.low)


@pytest.mark.parametrize("rows_of_class", [20, 100])
@pytest.mark.parametrize(("slope", "shift"), [(1.0, 0.0), (1.0, 0.7), (1.6, 0.0), (0.6, 0.0)])
def test_the_interval_holds_the_true_error(rows_of_class: int, slope: float, shift: float) -> None:
    """Stated log-odds are bent by a slope and a shift; the truth is the distance of the expected rows in the bins."""
    inside, n = [], rows_of_class * 20
    for seed in range(150):
        rng = np.random.default_rng(seed)
        odds = 2 * rng.normal(size=n) - 4.2
        true, stated = 1 / (1 + np.exp(-odds)), 1 / (1 + np.exp(-(slope * odds + shift)))
        is_class = rng.random(n) < true
        found = calibration.class_calibration(is_class, stated, np.ones(n))
        if found is None:
            continue
        ends = np.cumsum([entry["count"] for entry in found.bins])[:-1]
        order = np.argsort(stated)
        gaps = [abs(part.sum()) for part in np.split((stated - true)[order], ends)]
        inside.append(found.low - 1e-9 <= sum(gaps) / is_class.sum() <= found.high)
    assert np.mean(inside) > 0.9


@pytest.mark.parametrize("size", [1, 10])
@pytest.mark.parametrize("gap", [0.0, 0.02, 0.2])
def test_the_interval_of_the_calibration_error_holds_it_where_noise_alone_is_above_it(gap: float, size: int) -> None:
    """On 200 rows chance alone makes an error of some .06. Rows of a group err together."""
    rng = np.random.default_rng(0)
    chance = np.repeat(rng.uniform(0.5, 0.79, size=200 // size), size)
    group = np.repeat(np.arange(200 // size), size)
    bold, held = np.c_[chance + gap, 1 - chance - gap], 0
    for _ in range(200):
        drawn = np.repeat(rng.random(200 // size), size)
        y = (np.where(rng.random(200) < 0.3, drawn, rng.random(200)) > chance).astype(int)
        low, high = calibration.expected_calibration_error_interval(y, bold, np.ones(200), group)
        held += low <= gap <= high
    assert held >= 186


def test_a_calibration_error_of_0_has_an_interval_with_width() -> None:
    y = np.repeat([0, 1], [60, 40])
    low, high = calibration.expected_calibration_error_interval(y, np.eye(2)[y], np.ones(100))
    assert low == 0
    assert high == pytest.approx(3.8415 / (100 + 3.8415), rel=1e-4), (
        "Wilson: no mistake in 100 rows is not no mistake at all"
    )
    grouped = calibration.expected_calibration_error_interval(y, np.eye(2)[y], np.ones(100), np.arange(100) // 10)
    assert grouped[1] == pytest.approx(3.8415 / (10 + 3.8415), rel=1e-4)
    half = np.where(np.arange(100) % 2 == 0, 2.0, 0.0)
    twice = calibration.expected_calibration_error_interval(y, np.eye(2)[y], half)
    rows = calibration.expected_calibration_error_interval(y[::2], np.eye(2)[y[::2]], np.ones(50))
    assert twice == pytest.approx(rows)


@pytest.mark.parametrize("grouped", [False, True])
def test_the_calibration_test_keeps_its_level_and_finds_wrong_probabilities(grouped: bool) -> None:
    rng = np.random.default_rng(0)
    right, wrong = [], []
    for _ in range(200):
        p = rng.beta(0.5, 6, 400)
        group = np.repeat(np.arange(100), 4) if grouped else None
        p = np.repeat(p[:100], 4) if grouped else p
        drawn = np.repeat(rng.random(100), 4) if grouped else rng.random(400)
        for found, stated in ((right, p), (wrong, np.minimum(2 * p, 1))):
            one = calibration.class_calibration(drawn < p, stated, np.ones(400), group)
            if one is not None:
                found.append(one.p_value)
    assert np.mean(np.array(right) < 0.05) < 0.09
    assert np.mean(np.array(wrong) < 0.05) > (0.3 if grouped else 0.8)

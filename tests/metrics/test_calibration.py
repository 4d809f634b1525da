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

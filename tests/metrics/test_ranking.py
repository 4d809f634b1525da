"""ROC AUC and average precision: definitions by counting pairs, scikit-learn as referee, ties and weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as referee

from rarebird.metrics import ranking

Case = tuple[np.ndarray, np.ndarray, np.ndarray]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Positives (both sides present), scores with many ties, and weights."""
    n, levels = draw(st.integers(2, 60)), draw(st.sampled_from([1, 2, 5, 10**6]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    positive = rng.random(n) < rng.random()
    positive[:2] = [True, False]
    weight = np.ones(n) if draw(st.booleans()) else rng.uniform(0.1, 3.0, size=n)
    return positive, rng.integers(levels, size=n) / levels, weight


@settings(max_examples=150, deadline=None)
@given(case=cases())
def test_areas_equal_scikit_learns(case: Case) -> None:
    positive, scores, weight = case
    assert ranking.roc_auc(*case) == pytest.approx(
        referee.roc_auc_score(positive, scores, sample_weight=weight), abs=1e-9
    )
    assert ranking.average_precision(*case) == pytest.approx(
        referee.average_precision_score(positive, scores, sample_weight=weight), abs=1e-9
    )


@settings(max_examples=60, deadline=None)
@given(case=cases())
def test_roc_auc_counts_pairs_and_turns_around(case: Case) -> None:
    positive, scores, weight = case
    wins = np.sign(scores[positive][:, None] - scores[~positive][None, :]) / 2 + 0.5
    pairs = weight[positive][:, None] * weight[~positive][None, :]
    auc = ranking.roc_auc(*case)
    assert auc == pytest.approx((wins * pairs).sum() / pairs.sum(), abs=1e-9)
    assert ranking.roc_auc(~positive, scores, weight) == pytest.approx(1 - auc, abs=1e-9)
    assert ranking.roc_auc(positive, np.exp(3 * scores), weight) == pytest.approx(auc, abs=1e-9), (
        "only the order counts"
    )


@settings(max_examples=60, deadline=None)
@given(case=cases())
def test_weight_two_is_the_row_twice_and_replicates_are_columns(case: Case) -> None:
    positive, scores, _ = case
    counts = np.random.default_rng(0).integers(0, 3, size=(len(scores), 4))
    counts[:2] = 1
    for figure in (ranking.roc_auc, ranking.average_precision):
        together = figure(positive, scores, counts.astype(np.float32))
        for column in range(4):
            times = counts[:, column]
            repeated = figure(np.repeat(positive, times), np.repeat(scores, times), np.ones(times.sum()))
            assert together[column] == pytest.approx(repeated, abs=1e-9)


def test_limits() -> None:
    positive = np.array([True, True, False, False, False])
    ones = np.ones(5)
    apart, equal = np.array([5.0, 4, 3, 2, 1]), np.zeros(5)
    assert ranking.roc_auc(positive, apart, ones) == ranking.average_precision(positive, apart, ones) == 1.0
    assert ranking.roc_auc(positive, -apart, ones) == 0.0
    assert ranking.roc_auc(positive, equal, ones) == 0.5
    assert ranking.average_precision(positive, equal, ones) == pytest.approx(0.4), "without an order, the base rate"


@pytest.mark.parametrize("columns", [(), (3,)])
def test_a_missing_side_is_undefined(columns: tuple[int, ...]) -> None:
    scores, weight = np.arange(4.0), np.ones((4, *columns))
    nobody, everybody = np.zeros(4, dtype=bool), np.ones(4, dtype=bool)
    assert np.isnan(ranking.roc_auc(nobody, scores, weight)).all()
    assert np.isnan(ranking.average_precision(nobody, scores, weight)).all()
    assert np.isnan(ranking.roc_auc(everybody, scores, weight)).all()
    assert (ranking.average_precision(everybody, scores, weight) == 1.0).all()


def test_macro_areas_equal_scikit_learns_and_leave_out_the_absent() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(4, size=200)
    probabilities = rng.dirichlet(np.ones(4), size=200)
    auc, precision = ranking.areas(y, probabilities, np.ones(200), None)
    assert auc == pytest.approx(referee.roc_auc_score(y, probabilities, multi_class="ovr"))
    assert precision == pytest.approx(referee.average_precision_score(np.eye(4)[y], probabilities, average="macro"))
    wider = np.c_[probabilities, np.zeros(200)]
    assert ranking.areas(y, wider, np.ones(200), None) == (auc, precision)
    assert ranking.areas(y, probabilities, np.ones(200), 2)[0] == pytest.approx(
        referee.roc_auc_score(y == 2, probabilities[:, 2])
    )


@settings(max_examples=60, deadline=None)
@given(case=cases())
def test_the_curve_runs_through_scikit_learns_points(case: Case) -> None:
    positive, scores, weight = case
    curve = ranking.precision_recall_curve(*case, most=1000)
    precision, recall, _ = referee.precision_recall_curve(positive, scores, sample_weight=weight)
    for r, p in zip(curve["recall"], curve["precision"], strict=True):
        assert np.min(np.abs(recall - r) + np.abs(precision - p)) < 1e-9
    steps = np.diff([0.0, *curve["recall"]])
    assert (steps > 0).all()
    assert steps @ curve["precision"] == pytest.approx(ranking.average_precision(*case), abs=1e-9)


def test_the_curve_is_thinned_and_keeps_its_ends() -> None:
    rng = np.random.default_rng(0)
    positive, scores = rng.random(5000) < 0.5, rng.random(5000)
    whole = ranking.precision_recall_curve(positive, scores, np.ones(5000), most=10**6)
    thin = ranking.precision_recall_curve(positive, scores, np.ones(5000))
    assert len(thin["recall"]) <= 200 < len(whole["recall"])
    assert thin["recall"][0] == whole["recall"][0]
    assert thin["recall"][-1] == 1.0
    assert ranking.precision_recall_curve(np.zeros(3, dtype=bool), np.arange(3.0), np.ones(3)) == {
        "recall": [],
        "precision": [],
    }


@settings(max_examples=60, deadline=None)
@given(case=cases(), seed=st.integers(0, 99))
def test_errors_are_the_derivatives_by_the_weights(case: Case, seed: int) -> None:
    """A row that counts a little more moves the figure by its part in the error, but for what its class shares."""
    positive, scores, weight = case
    for figure, errors in (
        (ranking.roc_auc, ranking.auc_errors),
        (ranking.average_precision, ranking.average_precision_errors),
    ):
        found = errors(positive, scores, weight)
        # Changes that leave each class its weight.
        change = np.random.default_rng(seed).normal(size=len(scores))
        for side in (positive, ~positive):
            change[side] -= np.average(change[side], weights=weight[side])
        step = 1e-5
        moved = [float(figure(positive, scores, weight * (1 + sign * step * change))) for sign in (1, -1)]
        assert found @ change == pytest.approx((moved[0] - moved[1]) / (2 * step), abs=1e-6)
        for side in (positive, ~positive):
            assert found[side].sum() == pytest.approx(0, abs=1e-9)

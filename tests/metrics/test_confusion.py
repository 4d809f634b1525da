"""Figures of labels: identities, scikit-learn as referee, ties of weight and repetition, and the undefined cases."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as referee

from rarebird.metrics import confusion
from rarebird.metrics.confusion import Counts, tally

Case = tuple[np.ndarray, np.ndarray, np.ndarray, int]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """True codes, predicted codes and weights of a few rows; classes may be without rows or never predicted."""
    n_classes, n = draw(st.integers(2, 5)), draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    used = int(rng.integers(1, n_classes + 1))
    y = rng.integers(used, size=n)
    predicted = np.where(rng.random(n) < rng.random(), y, rng.integers(n_classes, size=n))
    weight = np.ones(n) if draw(st.booleans()) else rng.uniform(0.1, 3.0, size=n)
    return y, predicted, weight, n_classes


FIGURES: dict[str, tuple[Callable[[Counts], np.ndarray], Callable[..., float]]] = {
    "accuracy": (confusion.accuracy, referee.accuracy_score),
    "balanced_accuracy": (confusion.balanced_accuracy, referee.balanced_accuracy_score),
    "matthews_corrcoef": (confusion.matthews_corrcoef, referee.matthews_corrcoef),
    "macro_f1": (
        confusion.macro_f1,
        lambda y, p, sample_weight: referee.f1_score(
            y, p, average="macro", zero_division=0, sample_weight=sample_weight
        ),
    ),
    "macro_precision": (
        confusion.macro_precision,
        lambda y, p, sample_weight: referee.precision_score(
            y, p, average="macro", zero_division=0, sample_weight=sample_weight
        ),
    ),
}


@pytest.mark.parametrize("name", FIGURES)
@settings(max_examples=60, deadline=None)
@given(case=cases())
def test_figures_equal_scikit_learns(name: str, case: Case) -> None:
    y, predicted, weight, n_classes = case
    ours, theirs = FIGURES[name]
    with warnings.catch_warnings():
        # scikit-learn warns of classes without rows, and of a single label.
        warnings.simplefilter("ignore", UserWarning)
        expected = theirs(y, predicted, sample_weight=weight)
    assert ours(tally(y, predicted, n_classes, weight)) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(case=cases())
def test_per_class_figures_equal_scikit_learns(case: Case) -> None:
    y, predicted, weight, n_classes = case
    counts = tally(y, predicted, n_classes, weight)
    expected = referee.precision_recall_fscore_support(
        y, predicted, labels=range(n_classes), sample_weight=weight, zero_division=np.nan
    )
    for ours, theirs in zip((confusion.precision, confusion.recall, confusion.f1), expected, strict=False):
        np.testing.assert_allclose(ours(counts), theirs, atol=1e-12)
    np.testing.assert_allclose(
        confusion.confusion_matrix(y, predicted, n_classes, weight),
        referee.confusion_matrix(y, predicted, labels=range(n_classes), sample_weight=weight),
        atol=1e-12,
    )


@settings(max_examples=60, deadline=None)
@given(case=cases())
def test_specificity_is_the_recall_of_not_being_the_class(case: Case) -> None:
    y, predicted, weight, n_classes = case
    found = confusion.specificity(tally(y, predicted, n_classes, weight))
    for code in range(n_classes):
        rest = tally((y != code).astype(int), (predicted != code).astype(int), 2, weight)
        np.testing.assert_allclose(found[code], confusion.recall(rest)[1], atol=1e-12)


ALL = [
    confusion.accuracy,
    confusion.balanced_accuracy,
    confusion.macro_f1,
    confusion.macro_precision,
    confusion.macro_specificity,
    confusion.matthews_corrcoef,
    confusion.geometric_mean,
]


@pytest.mark.parametrize("figure", ALL)
@settings(max_examples=30, deadline=None)
@given(case=cases(), seed=st.integers(0, 100))
def test_invariances(figure: Callable[[Counts], np.ndarray], case: Case, seed: int) -> None:
    y, predicted, weight, n_classes = case
    value = figure(tally(y, predicted, n_classes, weight))
    order = np.random.default_rng(seed).permutation(n_classes)
    np.testing.assert_allclose(
        figure(tally(order[y], order[predicted], n_classes, weight)), value, atol=1e-9, err_msg="classes renamed"
    )
    np.testing.assert_allclose(
        figure(tally(y, predicted, n_classes, 7 * weight)), value, atol=1e-9, err_msg="weights scaled"
    )
    doubled = np.where(np.arange(len(y)) == 0, 2.0, 1.0)
    twice = [np.r_[codes, codes[:1]] for codes in (y, predicted)]
    np.testing.assert_allclose(
        figure(tally(*twice, n_classes, np.ones(len(y) + 1))),
        figure(tally(y, predicted, n_classes, doubled)),
        atol=1e-9,
        err_msg="weight 2",
    )


@settings(max_examples=30, deadline=None)
@given(case=cases())
def test_replicates_are_the_columns_one_by_one(case: Case) -> None:
    y, predicted, weight, n_classes = case
    columns = weight[:, None] * np.random.default_rng(0).integers(0, 3, size=(len(y), 6))
    together = tally(y, predicted, n_classes, columns)
    for column in range(6):
        alone = tally(y, predicted, n_classes, columns[:, column])
        for figure in ALL:
            np.testing.assert_allclose(figure(together)[column], figure(alone), atol=1e-9)


def test_geometric_mean_by_hand() -> None:
    y, predicted = np.array([0, 0, 1, 1, 1, 1]), np.array([0, 1, 1, 1, 1, 0])
    assert confusion.geometric_mean(tally(y, predicted, 2, np.ones(6))) == pytest.approx(np.sqrt(0.5 * 0.75))
    # The empty third class is left out; a class that is never found makes it 0.
    assert confusion.geometric_mean(tally(y, predicted, 3, np.ones(6))) == pytest.approx(np.sqrt(0.5 * 0.75))
    assert confusion.geometric_mean(tally(y, np.ones(6, dtype=int), 2, np.ones(6))) == 0.0


def test_undefined_figures_are_nan_and_perfect_ones_are_one() -> None:
    y = np.array([0, 0, 1, 1])
    counts = tally(y, np.zeros(4, dtype=int), 3, np.ones(4))
    np.testing.assert_array_equal(np.isnan(confusion.recall(counts)), [False, False, True])
    np.testing.assert_array_equal(np.isnan(confusion.precision(counts)), [False, True, True])
    np.testing.assert_array_equal(np.isnan(confusion.f1(counts)), [False, False, True])
    assert np.isnan(confusion.specificity(tally(np.zeros(3, dtype=int), np.zeros(3, dtype=int), 2, np.ones(3)))[0])
    perfect = tally(y, y, 2, np.ones(4))
    assert all(figure(perfect) == 1.0 for figure in ALL)


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="have one length"):
        tally(np.zeros(3, dtype=int), np.zeros(2, dtype=int), 2, np.ones(3))


def test_another_recall_moves_mistakes_where_the_class_makes_them() -> None:
    matrix = np.array([[6, 3, 1], [0, 4, 0], [2, 0, 2]])
    moved = confusion.with_recalls(matrix, np.array([0, 1, 2, 2]), np.array([0.2, 0.5, 1.0, 0.5]))
    np.testing.assert_allclose(moved.support, np.array([[10] * 4, [4] * 4, [4] * 4]))
    np.testing.assert_allclose(moved.hits, [[2, 6, 6, 6], [4, 2, 4, 4], [2, 2, 4, 2]])
    # Class 0: 4 more mistakes, as 3 to 1; class 1, which made none: one to each; class 2: back to itself, or unchanged.
    np.testing.assert_allclose(moved.predicted[:, 0], [2 + 2, 4 + 6, 2 + 2])
    np.testing.assert_allclose(moved.predicted[:, 1], [6 + 2 + 1, 3 + 2, 3 + 1])
    np.testing.assert_allclose(moved.predicted[:, 2], [6, 7, 1 + 4])
    np.testing.assert_allclose(moved.predicted[:, 3], matrix.sum(axis=0))

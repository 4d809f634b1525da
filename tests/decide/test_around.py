"""Calibrations and decisions around any classifier: scikit-learn's checks, rows that the classifier has not seen, the
mathematics of priors, and promises that hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_breast_cancer, make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, log_loss, make_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from rarebird import decide
from rarebird.core.checks import DataError
from rarebird.decide import (
    AbstainThreshold,
    BalancedThreshold,
    ConstrainedThreshold,
    CostThreshold,
    IsotonicCalibrated,
    MetricThreshold,
    PriorCorrected,
    TemperatureCalibrated,
)

NEEDED: dict[str, dict[str, Any]] = {
    "AbstainThreshold": {"share": 0.1},
    "ConstrainedThreshold": {"precision": 0.3},
    "CostThreshold": {"costs": {"*": {"*": 1}}},
}
ROWS = make_classification(5500, 6, n_informative=4, weights=[0.9], class_sep=0.8, flip_y=0, random_state=0)
EVERY = [getattr(decide, name)(LogisticRegression(), random_state=0, **NEEDED.get(name, {})) for name in decide.__all__]
every = pytest.mark.parametrize("around", EVERY, ids=lambda one: type(one).__name__)


# What scikit-learn checks is the code that all of them share.
@parametrize_with_checks([BalancedThreshold(LogisticRegression())])
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def skewed(n: int = 1500) -> tuple[np.ndarray, np.ndarray]:
    """Two overlapping classes, one of them a tenth of the rows."""
    X, y = ROWS
    return X[:n], y[:n]


def new_rows() -> tuple[np.ndarray, np.ndarray]:
    """4000 more of them."""
    X, y = ROWS
    return X[1500:], y[1500:]


class Spy(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier that predicts a row by heart and refuses one that it learned from, by the number in its first
    column."""

    def fit(self, X: Any, y: Any) -> Any:
        self.classes_, self.seen_ = np.unique(y), set(X[:, 0].tolist())
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        assert self.seen_.isdisjoint(X[:, 0].tolist()), "a row is predicted by a classifier that learned from it"
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


@every
def test_what_is_fitted_sees_no_row_that_the_classifier_learned_from(around: Any) -> None:
    X, y = np.arange(60.0)[:, None], np.arange(60) % 6 // 5
    fitted = clone(around).set_params(estimator=Spy()).fit(X, y)
    assert fitted.estimator_.seen_ == set(range(60))
    with pytest.raises(AssertionError, match="learned from it"):
        fitted.predict(X[:3])
    assert fitted.predict(X + 1000).shape == (60,)


@every
def test_labels_of_any_type_come_back_in_scikit_learns_order(around: Any) -> None:
    X, y = skewed(80)
    named = np.array(["10", "9"])[y]
    frame = pd.DataFrame(X).add_prefix("x")
    plain, text = clone(around).fit(X, y), clone(around).fit(frame, named)
    assert list(text.classes_) == ["10", "9"]
    np.testing.assert_array_equal(np.array(["10", "9"])[plain.predict(X)], text.predict(frame))
    np.testing.assert_allclose(plain.predict_proba(X).sum(axis=1), 1)
    assert list(text.feature_names_in_) == [f"x{place}" for place in range(6)]


def test_a_known_prior_is_taken_out_exactly() -> None:
    X, y = skewed()
    weighted = LogisticRegression(class_weight="balanced")
    corrected = PriorCorrected(weighted, trained_prior="balanced").fit(X, y)
    prior = np.bincount(y) / len(y)
    odds = weighted.fit(X, y).predict_proba(X) * prior
    np.testing.assert_allclose(corrected.predict_proba(X), odds / odds.sum(axis=1, keepdims=True), rtol=1e-9)
    elsewhere = PriorCorrected(weighted, trained_prior="balanced", prior={0: 0.5, 1: 0.5}).fit(X, y)
    np.testing.assert_allclose(elsewhere.predict_proba(X), weighted.predict_proba(X), rtol=1e-9)


def test_an_unknown_prior_is_found_on_held_out_rows() -> None:
    X, y = skewed()
    new, labels = new_rows()
    weighted = LogisticRegression(class_weight={0: 1, 1: 20})
    raw, found = weighted.fit(X, y).predict_proba(new), PriorCorrected(weighted).fit(X, y).predict_proba(new)
    assert raw[:, 1].mean() > 0.25
    assert found[:, 1].mean() == pytest.approx(labels.mean(), abs=0.02)
    assert log_loss(labels, found) < log_loss(labels, raw) - 0.1


def test_a_calibration_helps_an_overconfident_classifier_and_one_with_scores_alone() -> None:
    X, y = skewed()
    new, labels = new_rows()
    forest = RandomForestClassifier(10, random_state=0)
    raw = np.clip(forest.fit(X, y).predict_proba(new), 1e-6, 1)
    mended = TemperatureCalibrated(forest).fit(X, y).predict_proba(new)
    assert log_loss(labels, mended) < log_loss(labels, raw / raw.sum(axis=1, keepdims=True))
    scored = IsotonicCalibrated(LinearSVC()).fit(X, y)
    assert log_loss(labels, scored.predict_proba(new)) < 0.3


def test_a_promised_recall_holds_on_new_rows() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
    inner = make_pipeline(StandardScaler(), LogisticRegression(C=0.01))
    found = ConstrainedThreshold(inner, label="0", recall=0.95).fit(X, y)
    (promise,) = found.promises_
    assert promise.is_kept
    assert (found.predict(X_test)[y_test == 0] == 0).mean() >= 0.95
    ready = ConstrainedThreshold(clone(inner).fit(X, y), label="0", recall=0.9, cv="prefit").fit(X_test, y_test)
    assert ready.estimator_ is ready.estimator
    assert (ready.predict(X_test)[y_test == 0] == 0).mean() >= 0.9


def test_a_threshold_serves_its_metric_and_costs_are_keyed_by_label() -> None:
    X, y = skewed()
    new, labels = new_rows()
    inner = LogisticRegression()
    found = MetricThreshold(inner, metric="f1").fit(X, y)
    assert f1_score(labels, found.predict(new)) > f1_score(labels, inner.fit(X, y).predict(new)) + 0.02
    dear = CostThreshold(inner, costs={"1": {"0": 50}, "0": {"1": 1}}).fit(X, y)
    np.testing.assert_array_equal(dear.predict(new), (dear.predict_proba(new)[:, 1] > 1 / 51).astype(int))
    unsure = AbstainThreshold(inner, share=0.2).fit(X, y)
    assert unsure.abstains(new).mean() == pytest.approx(0.2, abs=0.05)
    assert unsure.abstains(new)[np.abs(unsure.predict_proba(new)[:, 1] - 0.5) < 0.1].all()


def test_weights_and_groups_reach_the_classifier_and_the_folds() -> None:
    X, y = skewed(200)
    group, weight = np.arange(200) // 4, np.where(y == 1, 5.0, 1.0)

    class Grouped(Spy):
        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
            assert sample_weight is not None
            assert len(sample_weight) == len(X)
            return super().fit(X, y)

    rows = np.column_stack([group.astype(float), X])
    found = BalancedThreshold(Grouped(), random_state=0).fit(rows, y, sample_weight=weight, groups=group)
    assert found.prior_[1] == pytest.approx(np.average(y, weights=weight))
    with sklearn.config_context(enable_metadata_routing=True):
        inner = Grouped().set_fit_request(sample_weight=True)
        routed = BalancedThreshold(inner, cv=GroupKFold(4)).set_fit_request(sample_weight=True, groups=True)
        scores = cross_validate(
            routed,
            np.column_stack([np.arange(200.0) // 4, X]),
            y,
            cv=GroupKFold(2),
            params={"sample_weight": weight, "groups": group},
            error_score="raise",
            scoring=make_scorer(accuracy_score).set_score_request(sample_weight=False),
        )
        assert scores["test_score"].shape == (2,)


def test_they_nest_and_are_searched() -> None:
    X, y = skewed(300)
    weighted = LogisticRegression(class_weight="balanced")
    nested = BalancedThreshold(PriorCorrected(weighted, trained_prior="balanced", cv=2), cv=2)
    search = GridSearchCV(nested, {"estimator__estimator__C": [0.01, 1], "metric": ["f1"]}, cv=2, error_score="raise")
    assert search.fit(X, y).best_estimator_.prior_.shape == (2,)


@pytest.mark.parametrize(
    ("around", "message"),
    [
        (ConstrainedThreshold(LogisticRegression()), "needs a floor"),
        (ConstrainedThreshold(LogisticRegression(), label="ill", precision=0.3), "names the class 'ill'"),
        (MetricThreshold(LogisticRegression(), metric="roc_auc"), "does not judge decisions"),
        (MetricThreshold(LogisticRegression(), metric="f1", positive=7), "positive is a class"),
        (PriorCorrected(LogisticRegression(), trained_prior={0: 1.0}), "give a share of each"),
        (PriorCorrected(LogisticRegression(), prior=[1.0, 0.0]), "is above 0"),
        (TemperatureCalibrated(LogisticRegression(), prior_rows=-1), "prior_rows >= 0"),
        (CostThreshold(LogisticRegression(), costs={"0": {"2": 1}}), "name the class '2'"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_cannot_be_asked_is_refused_with_a_sentence(around: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        around.fit(*skewed(60))


def test_one_class_is_refused_and_one_row_of_a_class_is_not() -> None:
    X, y = skewed(60)
    with pytest.raises(DataError, match="only 1 class"):
        BalancedThreshold(LogisticRegression()).fit(X, np.zeros(60))
    lone = np.where(np.arange(60) == 3, 2, y)
    assert BalancedThreshold(LogisticRegression()).fit(X, lone).predict_proba(X).shape == (60, 3)

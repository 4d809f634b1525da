"""The estimators inside of scikit-learn's own tools: clones, pipelines with frames, searches, thresholds, metadata."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.metrics import accuracy_score, balanced_accuracy_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    TunedThresholdClassifierCV,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rarebird import RarebirdClassifier
from rarebird.decide import ConstrainedThreshold
from tests.estimator.test_estimator import classifier, regressor, table


def quick(**parameters: Any) -> RarebirdClassifier:
    return classifier(**{"steps": 8} | parameters)


@pytest.mark.parametrize("estimator", [quick(), regressor(steps=8)], ids=lambda one: type(one).__name__)
def test_a_clone_has_the_parameters_and_nothing_learned(estimator: Any) -> None:
    X, y = table()
    fitted = estimator.set_params(metric=None, settings=["folds=2"]).fit(X, y)
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not hasattr(copy, "model_")
    np.testing.assert_array_equal(copy.fit(X, y).predict(X), fitted.predict(X))


def test_a_pipeline_of_frames_keeps_the_names_of_columns() -> None:
    X, y = table()
    frame = pd.DataFrame(X, columns=["age", "dose", "weight"])
    pipeline = make_pipeline(StandardScaler(), quick()).set_output(transform="pandas").fit(frame, y)
    assert list(pipeline[-1].feature_names_in_) == ["age", "dose", "weight"]
    assert pipeline.predict_proba(frame).shape == (60, 2)
    with pytest.raises(ValueError, match="feature names"):
        pipeline.predict(frame.rename(columns={"age": "years"}))


def test_halving_takes_steps_as_its_resource() -> None:
    X, y = table()
    search = HalvingGridSearchCV(
        quick(),
        {"metric": ["balanced_accuracy", "macro_f1", "accuracy"]},
        resource="steps",
        min_resources=2,
        max_resources=6,
        factor=3,
        cv=2,
        error_score="raise",
        random_state=0,
    ).fit(X, y)
    assert search.n_resources_ == [2, 6]
    assert search.best_estimator_.steps == 6
    assert search.best_estimator_.recipe_.steps == 6


def test_scikit_learns_threshold_and_calibration_stand_around_ours_and_so_does_our_decision() -> None:
    X, y = table()
    tuned = TunedThresholdClassifierCV(quick(), scoring="balanced_accuracy", cv=2).fit(X, y)
    assert balanced_accuracy_score(y, tuned.predict(X)) > 0.75
    calibrated = CalibratedClassifierCV(quick(), cv=2).fit(X, y)
    np.testing.assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1)
    floor = ConstrainedThreshold(quick(), label="1", recall=0.5, cv=2).fit(X, y)
    assert (floor.predict(X)[y == 1] == 1).mean() >= 0.5


@pytest.fixture
def routing() -> Any:
    with sklearn.config_context(enable_metadata_routing=True):
        yield


class Recorded(RarebirdClassifier):
    """Remembers what its fit was given."""

    given: list[tuple[int, np.ndarray | None, np.ndarray | None]] = []  # noqa: RUF012

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Any:
        self.given.append((len(X), sample_weight, groups))
        return super().fit(X, y, sample_weight, groups)


@pytest.mark.usefixtures("routing")
def test_weights_and_groups_are_routed_to_the_fit() -> None:
    X, y = table()
    weight, patient = np.where(y == 1, 2.0, 1.0), np.arange(60) // 4
    Recorded.given.clear()
    model = Recorded(steps=3, settings="folds=2", random_state=0).set_fit_request(sample_weight=True, groups=True)
    scorer = make_scorer(accuracy_score).set_score_request(sample_weight=False)
    given = {"sample_weight": weight, "groups": patient}
    found = cross_validate(model, X, y, cv=GroupKFold(2), params=given, scoring=scorer, error_score="raise")
    assert len(found["test_score"]) == 2
    search = GridSearchCV(
        make_pipeline(StandardScaler().set_fit_request(sample_weight=False), model),
        {"recorded__metric": ["accuracy"]},
        cv=GroupKFold(2),
    )
    search.set_params(scoring=scorer, error_score="raise").fit(X, y, **given)
    assert len(Recorded.given) == 2 + 2 + 1
    for n, weights, groups in Recorded.given:
        assert weights is not None
        assert groups is not None
        assert len(weights) == len(groups) == n
    assert {n for n, _, _ in Recorded.given} == {28, 32, 60}
    np.testing.assert_array_equal(search.best_estimator_[-1].outcome_.splits.train.group, patient.astype(str))


@pytest.mark.usefixtures("routing")
def test_what_nobody_asked_for_is_refused() -> None:
    X, y = table()
    with pytest.raises(ValueError, match="sample_weight"):
        cross_validate(quick(), X, y, cv=2, params={"sample_weight": np.ones(60)}, error_score="raise")

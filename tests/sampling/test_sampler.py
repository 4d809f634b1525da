"""Resamplings as samplers: imbalanced-learn's own checks and scikit-learn's, frames of all types, and the product's own
rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from imblearn.pipeline import make_pipeline
from imblearn.utils.estimator_checks import estimator_checks_generator
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

from rarebird import sampling
from rarebird.core.checks import DataError
from rarebird.slots import methods
from tests.contracts.test_resampling import table

SAMPLERS = [getattr(sampling, name)(random_state=0) for name in sampling.FACE.names]
CHOOSING = [one for one in SAMPLERS if one._chooses_rows]
named = pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda one: type(one).__name__)


# imbalanced-learn's own decorator hands a generator to pytest, which warns.
CHECKS = [
    pytest.param(one, check, id=f"{type(one).__name__}-{check.func.__name__}")
    for sampler in SAMPLERS
    for one, check in estimator_checks_generator(sampler)
]


@pytest.mark.parametrize(("estimator", "check"), CHECKS)
def test_imbalanced_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


# What scikit-learn checks is the code that all samplers share.
@parametrize_with_checks([one for one in SAMPLERS if type(one).__name__ in ("SMOTE", "RandomUnderSampler")])
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def mixed() -> tuple[pd.DataFrame, pd.Series]:
    """Numbers with gaps, whole numbers, dates, categories, truth values; three classes of 60, 25 and 9 rows."""
    rows = table()
    frame = rows.raw().assign(city=lambda given: given.city.astype("category"))
    y = pd.Series(np.array(["c", "a", "b"])[rows.codes], index=frame.index + 500, name="kind")
    return frame.set_axis(frame.index + 500), y


@named
def test_a_frame_of_all_types_keeps_its_types(sampler: Any) -> None:
    X, y = mixed()
    before = X.copy(deep=True)
    X_new, y_new = clone(sampler).fit_resample(X, y)
    pd.testing.assert_frame_equal(X, before)
    assert list(X_new.dtypes) == list(X.dtypes)
    assert y_new.name == "kind"
    assert set(y_new) == {"a", "b", "c"}
    assert len(X_new) == len(y_new)
    assert X_new.city.isin([*X.city.cat.categories]).sum() + X_new.city.isna().sum() == len(X_new)


@pytest.mark.parametrize("sampler", CHOOSING, ids=lambda one: type(one).__name__)
def test_indices_name_the_rows(sampler: Any) -> None:
    X, y = mixed()
    sampler = clone(sampler)
    X_new, y_new = sampler.fit_resample(X, y)
    pd.testing.assert_frame_equal(X_new.reset_index(drop=True), X.iloc[sampler.sample_indices_].reset_index(drop=True))
    np.testing.assert_array_equal(y_new, y.iloc[sampler.sample_indices_])


@named
def test_a_sampler_does_what_its_method_does(sampler: Any) -> None:
    rows = table(weight=None)
    method = methods.load(*sampling.FACE.names[type(sampler).__name__])()
    expected = method(rows, np.random.default_rng(np.random.RandomState(0).randint(2**31)))  # type: ignore[operator]
    X_new, y_new = clone(sampler).fit_resample(rows.raw(), rows.codes)
    assert sorted(y_new) == sorted(expected.codes)
    pd.testing.assert_frame_equal(
        X_new.reset_index(drop=True), expected.raw().reset_index(drop=True), check_dtype=False
    )


def test_the_strategy_decides_class_by_class() -> None:
    X, y = mixed()
    counts = pd.Series(sampling.SMOTE(sampling_strategy={"b": 20}, random_state=0).fit_resample(X, y)[1]).value_counts()
    assert counts.to_dict() == {"c": 60, "a": 25, "b": 20}
    counts = pd.Series(sampling.RandomUnderSampler(sampling_strategy={"c": 30}).fit_resample(X, y)[1]).value_counts()
    assert counts.to_dict() == {"c": 30, "a": 25, "b": 9}
    two = y != "a"
    half = sampling.ADASYN(sampling_strategy=0.5, random_state=0).fit_resample(X[two], y[two])[1].value_counts()
    assert half.to_dict() == {"c": 60, "b": 30}
    cleaned = sampling.TomekLinks(sampling_strategy=["a"]).fit_resample(X, y)[1].value_counts()
    assert cleaned["c"] == 60
    assert cleaned["b"] == 9


def test_pictures_text_and_sparse_rows_are_served() -> None:
    rng, y = np.random.default_rng(0), np.arange(30) % 5 // 4
    pictures = rng.random((30, 2, 4, 4))
    sampler = sampling.RandomOverSampler(random_state=0)
    found, labels = sampler.fit_resample(pictures, y)
    np.testing.assert_array_equal(found, pictures[sampler.sample_indices_])
    assert np.bincount(labels).tolist() == [24, 24]
    words = np.array([["u", 1.5], ["v", 2.5], ["w", None]], dtype=object)[np.arange(30) % 3]
    found, labels = sampling.SMOTE(random_state=0).fit_resample(words, y)
    assert found.dtype == object
    assert set(found[:, 0]) == {"u", "v", "w"}
    with pytest.raises(ValueError, match=r"3|dim"):
        sampling.SMOTE().fit_resample(pictures, y)
    thin = sparse.csr_matrix(rng.random((30, 3)))
    found, _ = sampling.SMOTE(random_state=0).fit_resample(thin, y)
    assert sparse.issparse(found)
    np.testing.assert_array_equal(found[:30].toarray(), thin.toarray())


def test_a_setting_out_of_range_is_refused_with_a_sentence() -> None:
    X, y = mixed()
    with pytest.raises(ValueError, match="neighbors >= 1"):
        sampling.SMOTE(neighbors=0).fit_resample(X, y)
    with pytest.raises(DataError, match="94 rows but y has 93"):
        sampling.SMOTE().fit_resample(X, y[1:])


def test_a_pipeline_resamples_training_rows_only_and_searches_its_settings() -> None:
    rng = np.random.default_rng(0)
    y = (np.arange(120) % 8 == 0).astype(int)
    X = rng.normal(2.0 * y[:, None], 1, (120, 3))
    pipeline = make_pipeline(sampling.SMOTE(random_state=0), LogisticRegression())
    search = GridSearchCV(pipeline, {"smote__neighbors": [1, 5]}, scoring="balanced_accuracy", error_score="raise")
    assert search.fit(X, y).best_score_ > 0.85
    assert search.predict(X[:7]).shape == (7,)

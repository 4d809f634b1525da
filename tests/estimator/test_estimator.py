"""The scikit-learn face: any rows untouched, labels in scikit-learn's order and their own type, weights and groups that
reach the run."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rarebird import DataError, RarebirdClassifier, RarebirdRegressor, Recipe
from rarebird.core.clock import Clock
from rarebird.data import split
from rarebird.estimator import base
from tests.automl.test_command import few  # noqa: F401  (a fixture)

SMALL = ("folds=2", "network.width=16", "network.depth=1", "optimizer.learning_rate=0.02")


def table(n: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Numbers whose first column tells the rarer class, about a third of the rows."""
    X = np.random.default_rng(seed).normal(size=(n, 3))
    return X, (X[:, 0] > 0.4).astype(np.int64)


def classifier(**parameters: Any) -> RarebirdClassifier:
    return RarebirdClassifier(**{"steps": 30, "settings": SMALL, "random_state": 0} | parameters)


def regressor(**parameters: Any) -> RarebirdRegressor:
    return RarebirdRegressor(**{"steps": 60, "settings": SMALL, "random_state": 0} | parameters)


def test_a_frame_of_all_types_with_missing_values_is_served_untouched() -> None:
    rng = np.random.default_rng(1)
    n = 80
    color = rng.choice(["red", "blue"], n)
    X = pd.DataFrame(
        {
            "color": pd.Categorical(color),
            "age": np.where(rng.random(n) < 0.2, np.nan, rng.normal(50, 9, n)),
            "seen": pd.date_range("2024-01-01", periods=n, freq="D"),
            "smokes": pd.array(rng.random(n) < 0.5, dtype="boolean"),
            "note": np.where(rng.random(n) < 0.3, None, "yes"),
        },
        index=np.arange(n) + 1000,
    )
    before = X.copy(deep=True)
    model = classifier(steps=60).fit(X, np.where(color == "red", "ill", "well"))
    pd.testing.assert_frame_equal(X, before)
    assert list(model.feature_names_in_) == list(X.columns)
    assert model.n_features_in_ == 5
    assert (model.predict(X) == np.where(color == "red", "ill", "well")).mean() > 0.95
    unseen = X.head(3).assign(color="green", age=np.nan)
    np.testing.assert_allclose(model.predict_proba(unseen).sum(axis=1), 1)


@pytest.mark.parametrize(
    ("shape", "kind"),
    [((24, 2, 16), "series"), ((24, 10, 12, 3), "image"), ((24, 1, 9, 9), "image")],
    ids=["3-D", "4-D", "4-D first"],
)
def test_series_and_pictures_are_told_by_their_axes(shape: tuple[int, ...], kind: str) -> None:
    X = np.random.default_rng(0).random(shape)
    y = np.arange(24) % 3
    model = RarebirdClassifier(steps=3, settings="folds=2", random_state=0).fit(*table())
    model.fit(X, y)
    assert model.model_.spec.kind == kind
    assert not hasattr(model, "n_features_in_")
    assert model.predict_proba(X).shape == (24, 3)
    assert set(model.predict(X)) <= {0, 1, 2}
    values = RarebirdRegressor(steps=3, settings="folds=2", random_state=0).fit(X, y / 7).predict(X[:5])
    assert values.shape == (5,)


def test_the_kind_may_be_told() -> None:
    X, y = np.random.default_rng(0).random((24, 12)), np.arange(24) % 2
    model = RarebirdClassifier(kind="series", steps=3, settings="folds=2").fit(X, y)
    assert model.recipe_.kind == "series"
    assert model.predict(X[:3, :9]).shape == (3,)
    pictures = X[:, :, None] * np.ones(12)
    assert RarebirdClassifier(kind="image", steps=3, settings="folds=2").fit(pictures, y).recipe_.kind == "image"


@pytest.mark.parametrize("labels", [[7, 3], [True, False], ["b", "a"], ["9", "10"], [-1, 1], [2.0, 1.0]], ids=str)
def test_labels_keep_their_type_in_scikit_learns_order(labels: list[Any]) -> None:
    X, codes = table()
    y = np.array(labels)[codes]
    model = classifier(steps=60).fit(X, y)
    np.testing.assert_array_equal(model.classes_, np.unique(y))
    assert model.classes_.dtype == model.predict(X).dtype == y.dtype
    assert balanced_accuracy_score(y, model.predict(X)) > 0.85
    assert (model.classes_[model.predict_proba(X).argmax(axis=1)] == y).mean() > 0.85


def test_the_names_of_classes_do_not_matter() -> None:
    X, y = table()
    plain = classifier().fit(X, y)
    # In natural order 9 stands before 10, in scikit-learn's "10" before "9".
    named = classifier().fit(X, np.array(["9", "10"])[y])
    np.testing.assert_array_equal(plain.predict_proba(X), named.predict_proba(X)[:, ::-1])
    np.testing.assert_array_equal(np.array(["9", "10"])[plain.predict(X)], named.predict(X))


def test_predictions_are_the_decision_on_the_probabilities() -> None:
    X, y = table()
    balanced = classifier().fit(X, y)
    np.testing.assert_array_equal(balanced.predict(X), (balanced.predict_proba(X) / np.bincount(y)).argmax(axis=1))
    accurate = classifier(metric="accuracy").fit(X, y)
    np.testing.assert_array_equal(accurate.predict(X), accurate.predict_proba(X).argmax(axis=1))
    assert accurate.recipe_.metric == accurate.result_.metric == "accuracy"


def test_a_seed_repeats_and_none_does_not() -> None:
    X, y = table()
    one, two, other, fresh = (
        classifier(random_state=seed).fit(X, y).predict_proba(X) for seed in (3, np.int64(3), 4, None)
    )
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)
    assert not np.array_equal(fresh, classifier(random_state=None).fit(X, y).predict_proba(X))
    drawn = [classifier(random_state=np.random.RandomState(5)).fit(X, y).recipe_.seed for _ in range(2)]
    assert drawn[0] == drawn[1]


def test_the_recorded_recipe_repeats_the_fit_from_a_value_and_from_a_file(tmp_path: Path) -> None:
    X, y = table()
    model = classifier(steps=17, settings=(*SMALL, "loss=focal"), metric="macro_f1").fit(X, y)
    (tmp_path / "recipe.toml").write_text(model.recipe_.to_toml(), encoding="utf-8")
    for recipe in (model.recipe_, tmp_path / "recipe.toml", str(tmp_path / "recipe.toml")):
        again = RarebirdClassifier(recipe=recipe).fit(X, y)
        assert again.recipe_ == model.recipe_
        np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_steps_yield_to_a_recipe_that_states_its_own_and_settings_to_nobody() -> None:
    X, y = table()
    open_ended = Recipe(kind="table", network={"name": "mlp", "width": 16, "depth": 1}, folds=2)
    assert RarebirdClassifier(recipe=open_ended, steps=7).fit(X, y).recipe_.steps == 7
    stated = open_ended.updated(steps=5)
    assert RarebirdClassifier(recipe=stated, steps=7, budget=60).fit(X, y).recipe_.steps == 5
    assert RarebirdClassifier(recipe=stated, settings="steps=3").fit(X, y).recipe_.steps == 3


def test_a_budget_takes_the_place_of_steps() -> None:
    X, y = table()
    model = classifier(budget=4.6, steps=1).fit(X, y)
    assert model.recipe_.steps > 1
    assert model.result_.timings["train"] < 4.6


def test_columns_go_by_what_fit_saw() -> None:
    X, y = table()
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    by_frame, by_array = classifier().fit(frame, y), classifier().fit(X, y)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        np.testing.assert_array_equal(by_frame.predict_proba(X), by_frame.predict_proba(frame))
    np.testing.assert_array_equal(by_array.predict_proba(X), by_frame.predict_proba(frame))
    np.testing.assert_array_equal(by_array.predict_proba(pd.DataFrame(X)), by_array.predict_proba(X.astype(object)))
    with pytest.raises(ValueError, match="same order"):
        by_frame.predict(frame[["b", "a", "c"]])


def test_cells_of_text_make_categories_of_an_array() -> None:
    X, y = table()
    cells = np.column_stack([X.astype(object), np.array(["u", "v"], dtype=object)[y]])
    cells[0, 0] = None
    model = classifier(steps=60).fit(cells, y)
    state = model.model_.members[0].prepared.table
    assert state is not None
    assert [column.role for column in state.columns] == ["number", "number", "number", "category"]
    assert (model.predict(cells) == y).all()


def test_a_row_of_weight_zero_counts_as_if_it_were_not_there() -> None:
    X, y = table()
    weight = np.random.default_rng(0).integers(0, 3, len(y)).astype(float)
    planted = np.where(weight[:, None] == 0, 1e9, X)
    some, kept = classifier().fit(planted, y, sample_weight=weight), weight > 0
    fewer = classifier().fit(X[kept], y[kept], sample_weight=weight[kept])
    np.testing.assert_array_equal(some.predict_proba(X), fewer.predict_proba(X))


def test_only_the_ratios_of_weights_matter_that_count_no_rows_and_they_reach_the_prior() -> None:
    X, y = table()
    weight = np.where(y == 1, 4.5, 1.0)
    plain, weighted, scaled = (classifier().fit(X, y, sample_weight=w) for w in (None, weight, 5 * weight))
    np.testing.assert_allclose(weighted.predict_proba(X), scaled.predict_proba(X), atol=1e-4)
    assert weighted.model_.prior[1] == pytest.approx(np.average(y, weights=weight))
    assert weighted.predict_proba(X)[:, 1].mean() > plain.predict_proba(X)[:, 1].mean() + 0.02


@pytest.mark.parametrize(
    ("weight", "message"),
    [(np.zeros(60), "zero in every row"), (table()[1], "every row of class '0'"), (-np.ones(60), "weight -1")],
)
def test_weights_that_leave_nothing_to_learn_are_refused(weight: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        classifier().fit(*table(), sample_weight=weight)


def test_groups_reach_the_run_and_none_straddles() -> None:
    X, y = table()
    patient = np.arange(60) // 4
    for model in (
        classifier(settings=(*SMALL, "folds=5")).fit(X, y, groups=patient),
        regressor().fit(X, X[:, 0], groups=patient),
    ):
        train = model.outcome_.splits.train
        np.testing.assert_array_equal(train.group, patient.astype(str))
        fold = split.fold_of(train, model.recipe_.folds, model.recipe_.seed)
        assert all(len(np.unique(fold[patient == one])) == 1 for one in range(15))
    with pytest.raises(DataError, match="60 rows but groups has 59"):
        classifier().fit(X, y, groups=patient[1:])


def test_a_pickle_predicts_the_same_and_carries_no_training_rows() -> None:
    X, y = table()
    model = classifier().fit(X, y, groups=[f"patient-{row // 3:04d}" for row in range(60)])
    packed = pickle.dumps(model)
    assert b"patient-0007" not in packed
    np.testing.assert_array_equal(pickle.loads(packed).predict_proba(X), model.predict_proba(X))
    assert clone(model).get_params() == model.get_params()


def test_searches_and_pipelines_of_scikit_learn_work() -> None:
    X, y = table()
    grid = [{"rarebirdclassifier__steps": [1, 40]}, {"rarebirdclassifier__settings": [SMALL, (*SMALL, "loss=focal")]}]
    search = GridSearchCV(
        make_pipeline(StandardScaler(), classifier()), grid, scoring="roc_auc", cv=2, error_score="raise"
    ).fit(X, y)
    assert len(search.cv_results_["params"]) == 4
    assert search.best_params_ != {"rarebirdclassifier__steps": 1}
    assert search.best_score_ > 0.85


@pytest.mark.parametrize(("n", "n_classes"), [(10, 2), (12, 3), (30, 3)])
def test_a_handful_of_rows_is_enough(n: int, n_classes: int) -> None:
    X = np.random.default_rng(n).normal(size=(n, 3))
    model = RarebirdClassifier(steps=5, random_state=0).fit(X, np.arange(n) % n_classes)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    outcome = RarebirdRegressor(steps=5, random_state=0).fit(X, X[:, 0]).outcome_
    assert np.isfinite(outcome.out_of_fold).all()


def test_regression_follows_the_unit_of_the_target() -> None:
    X, _ = table(120)
    y = X[:, 0] + 0.5 * X[:, 1]
    meters, millimeters = regressor().fit(X, y), regressor().fit(X, 1000 * y + 7000)
    assert meters.score(X, y) > 0.8
    np.testing.assert_allclose(millimeters.predict(X), 1000 * meters.predict(X) + 7000, atol=1)


def test_real_rows_are_learned() -> None:
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)
    model = classifier(steps=80, settings=("folds=3", "network.width=32")).fit(X, y)
    assert balanced_accuracy_score(y_test, model.predict(X_test)) > 0.93


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"kind": "tabel"}, "kind is image, table or series"),
        (
            {"kind": "series", "recipe": Recipe(kind="table", network="mlp")},
            "recipe is for data of kind 'table', but kind is 'series'",
        ),
        ({"recipe": "absent.toml"}, "absent.toml cannot be read"),
        ({"metric": "r2"}, "'r2' does not judge classification"),
        ({"metric": "macro_f2"}, "did you mean 'macro_f1'"),
        ({"settings": "los=focal"}, "did you mean 'loss'"),
        ({"steps": 0}, "steps >= 1"),
        ({"budget": 0}, "budget > 0"),
        ({"device": "abacus"}, "device 'abacus'"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_parameters_are_checked_in_fit_with_a_sentence(parameters: dict[str, Any], message: str) -> None:
    model = classifier(**parameters)
    with pytest.raises(ValueError, match=message):
        model.fit(*table())


def test_rows_of_another_shape_are_refused_at_prediction() -> None:
    pictures = np.random.default_rng(0).random((20, 9, 9, 1))
    model = RarebirdClassifier(steps=2, settings="folds=2").fit(pictures, np.arange(20) % 2)
    with pytest.raises(DataError, match=r"pictures of .* \(1, 8, 9\)"):
        model.predict(pictures[:, 1:])


def test_a_budget_is_searched_like_the_command_does(
    few: None,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    X, y = table()
    budgets: list[float | None] = []

    def clock(seconds: float | None) -> Clock:
        budgets.append(seconds)
        return Clock()

    # Without an end in time a search ends after its entries and their repeats.
    monkeypatch.setattr(base, "Clock", clock)
    for budget in (90, "1.5m"):
        model = RarebirdClassifier(budget=budget, settings=("folds=2", "threads=1"), random_state=0).fit(X, y)
        assert {tried.name for tried in model.result_.tried} >= {"linear", "trees", "mlp"}
        assert model.predict_proba(X[:5]).shape == (5, 2)
    # A recipe's own choice is trained alone.
    one = RarebirdClassifier(budget=8, settings=(*SMALL, "steps=3", "loss=focal"), random_state=0).fit(X, y)
    assert not one.result_.tried
    assert budgets == [90, 90, None]

"""The adapter: every sampler runs, its points come back as rows, and what cannot serve is refused in a sentence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from imblearn import over_sampling, under_sampling

from rarebird.core.checks import DataError
from rarebird.methods.resampling._selection import dense, points
from rarebird.methods.resampling.imbalanced_learn import ImbalancedLearn, classes
from rarebird.recipe.recipe import Recipe
from rarebird.slots import methods
from tests.methods.resampling.made_tables import dataset, mixed, plain


def test_every_sampler_of_imbalanced_learn_gives_rows_of_the_same_columns() -> None:
    train = mixed((60, 40, 25))
    for name in sorted(set(classes()) - {"SMOTEN"}):
        few = {"cluster_balance_threshold": 0.05} if name == "KMeansSMOTE" else {}
        left = ImbalancedLearn(sampler=name, arguments=few)(train, np.random.default_rng(0))
        assert left.class_counts is not None
        assert left.class_counts.min() > 0
        assert list(left.raw().columns) == list(train.raw().columns), name
        assert (left.raw().dtypes == train.raw().dtypes).all(), name
        assert np.isfinite(left.weights).all()
        assert set(left.raw()["city"].dropna()) <= {"北京", "Zürich"}


@pytest.mark.parametrize("sampler", ["SMOTE", "BorderlineSMOTE", "SVMSMOTE", "ADASYN"])
def test_made_points_come_back_as_made(sampler: str) -> None:
    train = plain((90, 40, 30), apart=0.8)
    left = ImbalancedLearn(sampler=sampler)(train, np.random.default_rng(4))
    seed = int(np.random.default_rng(4).integers(2**31))
    theirs, codes = getattr(over_sampling, sampler)(random_state=seed).fit_resample(dense(points(train)), train.codes)
    raw = train.raw().to_numpy()
    assert np.array_equal(left.codes, codes)
    assert np.allclose(left.raw().to_numpy(), raw.mean(axis=0) + raw.std(axis=0) * theirs)
    assert left.ids[: len(train)].tolist() == train.ids.tolist()


@pytest.mark.parametrize(
    "sampler", ["AllKNN", "CondensedNearestNeighbour", "NeighbourhoodCleaningRule", "InstanceHardnessThreshold"]
)
def test_chosen_rows_are_taken_as_they_are(sampler: str) -> None:
    train = plain((90, 40, 30), apart=0.8)
    left = ImbalancedLearn(sampler=sampler)(train, np.random.default_rng(4))
    seed = int(np.random.default_rng(4).integers(2**31))
    referee = getattr(under_sampling, sampler)()
    referee.set_params(**{name: seed for name in ("random_state",) if name in referee.get_params()})
    referee.fit_resample(dense(points(train)), train.codes)
    assert left.index.tolist() == referee.sample_indices_.tolist()
    assert left.source is train.source


def test_original_rows_survive_whole_beside_made_ones() -> None:
    train = mixed()
    left = ImbalancedLearn(sampler="SMOTE")(train, np.random.default_rng(0))
    assert left.class_counts is not None
    assert left.class_counts.tolist() == [80, 80, 80]
    whole = left.take(np.arange(len(train)))
    pd.testing.assert_frame_equal(whole.raw(), train.raw())
    for part in ("y", "weight", "group", "ids"):
        assert np.array_equal(getattr(whole, part), getattr(train, part))
    made = left.take(np.arange(len(train), len(left)))
    assert made.raw()["gaps"].isna().any()
    assert set(made.ids) <= set(train.ids[train.codes > 0])
    # A made row lies on a line between two of its class: it never leaves what is known of them.
    for code in (1, 2):
        own, new = train.raw()[train.codes == code], made.raw()[made.codes == code]
        assert new["number"].between(own["number"].min(), own["number"].max()).all()


def test_smotenc_chooses_categories_itself_and_smoten_needs_them_alone() -> None:
    train = mixed()
    left = ImbalancedLearn(sampler="SMOTENC")(train, np.random.default_rng(0))
    assert left.class_counts is not None
    assert left.class_counts.tolist() == [80, 80, 80]
    assert set(left.raw()["city"]) <= set(train.raw()["city"])
    with pytest.raises(DataError, match="SMOTEN is for tables with only categories, but 'number' has numbers"):
        ImbalancedLearn(sampler="SMOTEN")(train, np.random.default_rng(0))
    categories = dataset(train.raw()[["city", "flag"]], train.codes)
    assert len(ImbalancedLearn(sampler="SMOTEN")(categories, np.random.default_rng(0))) == 240


def test_shrunk_copies_are_made_rows_and_not_the_copied_ones() -> None:
    train = plain()
    smooth = ImbalancedLearn(sampler="RandomOverSampler", arguments={"shrinkage": 0.5})(train, np.random.default_rng(0))
    plainly = ImbalancedLearn(sampler="RandomOverSampler")(train, np.random.default_rng(0))
    assert len(smooth) == len(plainly) == 270
    assert not np.isin(smooth.raw()["x0"][len(train) :], train.raw()["x0"]).any()
    assert np.isin(plainly.raw()["x0"], train.raw()["x0"]).all()


def test_the_strategy_is_keyed_by_class_label() -> None:
    train = plain()
    left = ImbalancedLearn(sampler="SMOTE", arguments={"sampling_strategy": {"class 2": 50}})(
        train, np.random.default_rng(0)
    )
    assert left.class_counts is not None
    assert left.class_counts.tolist() == [90, 30, 50]
    cleaned = ImbalancedLearn(sampler="TomekLinks", arguments={"sampling_strategy": ["class 1"]})(
        train, np.random.default_rng(0)
    )
    assert cleaned.class_counts is not None
    assert cleaned.class_counts.tolist()[::2] == [90, 12]
    with pytest.raises(DataError, match="names the class 'class 7', which data lacks; did you mean"):
        ImbalancedLearn(sampler="SMOTE", arguments={"sampling_strategy": {"class 7": 50}})(
            train, np.random.default_rng(0)
        )


def test_the_seed_decides() -> None:
    train, value = plain(), ImbalancedLearn()
    first, again, other = (value(train, np.random.default_rng(seed)).raw() for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"sampler": "SVMSMOT"}, "imbalanced-learn has no sampler 'SVMSMOT'; did you mean 'SVMSMOTE'?"),
        (
            {"sampler": "SMOTE", "settings": {"neighbors": 3}},
            "SMOTE takes no setting 'neighbors' here; did you mean 'k_neighbors'?",
        ),
        ({"sampler": "SMOTE", "settings": {"random_state": 3}}, "SMOTE takes no setting 'random_state' here"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match="imbalanced_learn") as caught:
        methods.build("resampling", {"name": "imbalanced_learn", **settings})
    assert sentence in str(caught.value)


def test_what_the_sampler_refuses_is_one_sentence() -> None:
    with pytest.raises(
        DataError, match=r"SMOTE refuses data, whose smallest class 'class 2' has 1 row: .*n_neighbors.*; change"
    ) as caught:
        ImbalancedLearn(sampler="SMOTE")(plain((30, 10, 1)), np.random.default_rng(0))
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match=r"BorderlineSMOTE refuses data.*'kind'"):
        ImbalancedLearn(sampler="BorderlineSMOTE", arguments={"kind": "no such"})(plain(), np.random.default_rng(0))


def test_no_class_is_lost_and_one_class_alone_stays() -> None:
    train = plain((60, 20, 7, 3), width=4, seed=0, apart=0.1)
    left = ImbalancedLearn(sampler="RepeatedEditedNearestNeighbours")(train, np.random.default_rng(0))
    assert left.class_counts is not None
    assert left.class_counts.min() > 0
    alone = plain((9,))
    assert ImbalancedLearn()(alone, np.random.default_rng(0)) is alone


def test_the_settings_of_a_recipe_are_those_of_the_sampler() -> None:
    base = Recipe(kind="table", network="mlp")
    recipe = base.with_settings(["resampling={name=imbalanced_learn, sampler=SVMSMOTE, settings={k_neighbors=3}}"])
    assert recipe.resampling == ImbalancedLearn(sampler="SVMSMOTE", arguments={"k_neighbors": 3})
    assert recipe.with_settings(["resampling.settings.k_neighbors=4"]).resampling.arguments == {"k_neighbors": 4}
    assert Recipe.from_toml(recipe.to_toml()) == recipe

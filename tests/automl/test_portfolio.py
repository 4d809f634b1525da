"""The portfolio: the default recipe always competes, references may be left out, and every recipe trains on the rows it
is for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rarebird.automl.portfolio import LINEAR_BATCH, LINEAR_STEPS, MANY_ROWS, SOLVED_ROWS, PortfolioEntry, portfolio
from rarebird.data.dataset import Curves, Dataset, Frame, Pixels, Source, Splits
from rarebird.data.spec import InputSpec
from rarebird.experiment import run as experiment
from rarebird.recipe.defaults import default_recipe
from rarebird.recipe.recipe import Recipe

WHAT = ("table", "values", "series", "image")


def rows(what: str, n: int = 60) -> Dataset:
    rng = np.random.default_rng(0)
    y = (np.arange(n) % 3 == 0).astype(np.int64)
    ids, index = np.arange(n).astype(str), np.arange(n)
    source: Source
    if what in ("table", "values"):
        source = Frame(pd.DataFrame({"a": rng.normal(y, 1), "c": rng.choice(["u", "v"], n)}))
    elif what == "series":
        source = Curves((y[:, None, None] + rng.normal(size=(n, 1, 24))).astype(np.float32), np.full(n, 24))
    else:
        source = Pixels(rng.integers(0, 256, (n, 1, 8, 8), dtype=np.uint8))
    if what == "values":
        return Dataset("table", "regression", source, index, y + rng.normal(size=n), (), ids)
    return Dataset(what, "classification", source, index, y, ("no", "yes"), ids)  # type: ignore[arg-type]


def entries(what: str, references: bool = True, **changes: Any) -> tuple[Recipe, list[PortfolioEntry]]:
    train = rows(what)
    base = default_recipe(train, seed=5).updated(**changes)
    return base, portfolio(train, base, references)


@pytest.mark.parametrize("references", [True, False])
@pytest.mark.parametrize("what", WHAT)
def test_the_default_recipe_gets_whatever_time_there_is(what: str, references: bool) -> None:
    base, found = entries(what, references)
    assert [entry.recipe for entry in found if entry.share == 1] == [base]
    assert not any(entry.is_reference for entry in found if entry.share == 1)
    assert all(0 < entry.share <= 1 for entry in found)


@pytest.mark.parametrize("references", [True, False])
@pytest.mark.parametrize("what", WHAT)
def test_the_first_is_trained_in_whatever_time_there_is(what: str, references: bool) -> None:
    _, (first, *others) = entries(what, references)
    assert first.enough == 0
    assert all(0 < entry.enough < 1 for entry in others)


@pytest.mark.parametrize("what", WHAT)
def test_names_and_recipes_differ(what: str) -> None:
    _, found = entries(what)
    assert len({entry.name for entry in found}) == len(found)
    assert len({entry.recipe.to_toml() for entry in found}) == len(found)


@pytest.mark.parametrize("what", WHAT)
def test_references_are_left_out_where_none_are_wanted(what: str) -> None:
    _, everything = entries(what)
    _, networks = entries(what, references=False)
    assert [entry.recipe for entry in networks] == [entry.recipe for entry in everything if not entry.is_reference]
    assert all(entry.recipe.reference is None for entry in networks)
    assert all(entry.recipe.head is None or what in ("table", "values") for entry in networks)
    solved = [entry.recipe.head is not None and what in ("series", "image") for entry in everything]
    assert [entry.is_reference for entry in everything] == [
        entry.recipe.reference is not None or shapes for entry, shapes in zip(everything, solved, strict=True)
    ]


@pytest.mark.parametrize(("n", "full"), [(60, True), (SOLVED_ROWS + 1, False)])
def test_kernels_are_solved_in_full_where_rows_are_few(n: int, full: bool) -> None:
    train = rows("series", n)
    entry = next(entry for entry in portfolio(train, default_recipe(train)) if entry.name == "kernels")
    spec = InputSpec(kind="series", task="classification", n_outputs=2, channels=1, length=500)
    width = entry.recipe.network.build(spec).head.in_features  # type: ignore[attr-defined]
    assert (width > 50_000) == full
    assert full or width < 5_000


def test_regression_has_no_loss_of_classes() -> None:
    base, found = entries("values")
    assert {type(entry.recipe.loss).name for entry in found} == {"mean_squared"}
    assert {type(entry.recipe.loss).name for entry in entries("table")[1]} > {"weighted"}
    assert all(entry.recipe.calibration == base.calibration == () for entry in found)


@pytest.mark.parametrize("what", WHAT)
def test_settings_of_the_run_hold_for_every_recipe(what: str) -> None:
    run = {"threads": 1, "folds": 4, "metric": "accuracy"} if what != "values" else {"threads": 1, "folds": 4}
    base, found = entries(what, **run)
    assert len(found) >= 2
    for entry in found:
        assert {name: getattr(entry.recipe, name) for name in run} == run
        assert (entry.recipe.kind, entry.recipe.seed, entry.recipe.decision) == (base.kind, 5, base.decision)
        # The time lays out the steps of each.
        assert entry.recipe.steps is None


@pytest.mark.parametrize("n", [12, 60, 2_000])
def test_the_linear_course_has_its_steps_on_any_number_of_rows(n: int) -> None:
    train = rows("table", n)
    found = portfolio(train, default_recipe(train))
    linear = next(entry.recipe for entry in found if entry.name == "linear")
    assert linear.batch_size == min(n, LINEAR_BATCH)
    assert linear.epochs is not None
    assert linear.epochs * n / linear.batch_size == pytest.approx(LINEAR_STEPS, rel=1e-4)


@pytest.mark.parametrize(
    ("n", "folds", "many"), [(MANY_ROWS, 0, True), (MANY_ROWS, 5, False), (MANY_ROWS - 1, 0, False)]
)
def test_trees_get_many_rounds_where_many_rows_are_held_out(n: int, folds: int, many: bool) -> None:
    train = rows("values", n)
    names = [entry.name for entry in portfolio(train, default_recipe(train).updated(folds=folds))]
    assert ("boosted trees, many rounds" in names) == many


@pytest.mark.parametrize("n", [12, 60, 2_000])
def test_pictures_have_a_linear_model_of_their_pixels_first(n: int) -> None:
    train = rows("image", n)
    first, _, last = portfolio(train, default_recipe(train))
    assert type(first.recipe.network).name == "linear"
    assert first.recipe.augmentation == ()
    assert not first.is_reference
    assert first.recipe.epochs is not None
    assert first.recipe.epochs * n / first.recipe.batch_size == pytest.approx(LINEAR_STEPS, rel=1e-4)
    assert (last.role, last.recipe) == ("default", default_recipe(train))


@pytest.mark.parametrize("what", WHAT)
def test_every_recipe_survives_toml_and_trains(what: str) -> None:
    found = entries(what)[1]
    assert len(found) >= 2
    for entry in found:
        assert Recipe.from_toml(entry.recipe.to_toml()) == entry.recipe
        short = entry.recipe.updated(steps=2, folds=0, holdout=0.3, threads=1, precision="float32")
        outcome = experiment.run(short, Splits(rows(what)), test_share=0)
        assert np.isfinite(outcome.model.outputs(rows(what))).all(), entry.name


@pytest.mark.parametrize(("n", "patches"), [(60, 256), (SOLVED_ROWS + 1, 96)])
def test_of_many_pictures_fewer_patches_compete(n: int, patches: int) -> None:
    train = rows("image", n)
    found = {entry.name: entry.recipe for entry in portfolio(train, default_recipe(train))}
    assert found["patches"].network.patches == patches  # type: ignore[attr-defined]
    assert found["patches"].head is not None


def test_what_boosted_trees_would_take_long_for_begins_with_a_quicker_recipe() -> None:
    narrow = rows("table")
    wide = replace(narrow, source=Frame(pd.DataFrame(np.random.default_rng(0).normal(size=(60, 61)))))
    many = replace(narrow, y=np.arange(60) % 40, classes=tuple(map(str, range(40))))
    found = {data: [entry.name for entry in portfolio(data, default_recipe(data))] for data in (narrow, wide, many)}
    assert [names[0] for names in found.values()] == ["boosted trees", "ridge", "extra trees"]
    assert sorted(found[wide]) == sorted(found[narrow]) == sorted(found[many])

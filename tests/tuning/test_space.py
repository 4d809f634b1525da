"""Recipes with ranges: their dimensions, the points of a grid, and what is refused before anything is trained."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rarebird.core.checks import DataError
from rarebird.recipe.recipe import Recipe
from rarebird.slots.ranges import Choice, Float, Int, Range
from rarebird.tuning.space import Space, default_space, points

TEXT = """
kind = "table"
network = {name = "mlp", depth = {low = 1, high = 3}}
optimizer = {name = "adamw", learning_rate = {low = 1e-4, high = 1e-2, log = true}}
loss = {choices = ["cross_entropy", {name = "focal", gamma = {low = 0, high = 4}}]}
augmentation = [{name = "cell_noise", strength = {choices = [0.01, 0.1]}}]
"""
SPACE = Space.of(tomllib.loads(TEXT))
NAMES = ["network.depth", "optimizer.learning_rate", "loss", "loss=focal.gamma", "augmentation.0.strength"]


def answer(values: dict[str, Any]) -> Any:
    def ask(name: str, where: Range) -> Any:
        return values[name]

    return ask


def test_dimensions_have_their_fields_types_and_conditions() -> None:
    found = {dimension.name: dimension for dimension in SPACE.dimensions()}
    assert list(found) == NAMES
    assert found["network.depth"].where == Int(1, 3)
    assert found["optimizer.learning_rate"].where == Float(1e-4, 1e-2, log=True)
    # The field is a real number, however its ends are written.
    assert found["loss=focal.gamma"].where == Float(0.0, 4.0)
    assert found["loss"].where == Choice("cross_entropy", "focal")
    assert found["loss=focal.gamma"].under == {"loss": "focal"}
    assert found["augmentation.0.strength"].where == Choice("0.01", "0.1")


def test_a_draw_is_a_recipe_with_the_given_values() -> None:
    values = {
        "network.depth": 2,
        "optimizer.learning_rate": 3e-3,
        "loss": "focal",
        "loss=focal.gamma": 1.5,
        "augmentation.0.strength": "0.1",
    }
    recipe = SPACE.draw(answer(values))
    assert isinstance(recipe, Recipe)
    assert (recipe.network.depth, recipe.optimizer.learning_rate) == (2, 3e-3)
    assert (recipe.loss.name, recipe.loss.gamma) == ("focal", 1.5)
    assert recipe.augmentation[0].strength == 0.1


def test_a_methods_own_ranges_are_asked_for_only_if_it_is_chosen() -> None:
    asked = []

    def ask(name: str, where: Range) -> Any:
        asked.append(name)
        return "cross_entropy" if name == "loss" else where.values[0] if isinstance(where, Choice) else where.low

    SPACE.draw(ask)
    assert asked == [name for name in NAMES if name != "loss=focal.gamma"]


def test_a_grid_has_every_combination_once() -> None:
    grid = SPACE.grid(2)
    # depth 2 x rate 2 x (cross entropy + focal with 2 gammas) x 2 strengths
    assert len(grid) == SPACE.size(2) == 2 * 2 * 3 * 2
    recipes = [SPACE.draw(answer(point)) for point in grid]
    assert len({recipe.to_toml() for recipe in recipes}) == len(grid)
    assert {recipe.network.depth for recipe in recipes} == {1, 3}


@pytest.mark.parametrize(
    ("where", "steps", "expected"),
    [
        (Float(1e-4, 1e-2, log=True), 3, [1e-4, 1e-3, 1e-2]),
        (Float(0, 1), 5, [0, 0.25, 0.5, 0.75, 1]),
        (Float(0, 1), 1, [0.5]),
        (Int(1, 3), 9, [1, 2, 3]),
        (Int(8, 128, log=True), 3, [8, 32, 128]),
    ],
)
def test_points_are_evenly_spaced_on_the_scale_of_the_range(
    where: Float | Int, steps: int, expected: list[float]
) -> None:
    assert points(where, steps) == pytest.approx(expected)


def test_a_grid_that_is_too_large_is_refused_with_its_size() -> None:
    with pytest.raises(DataError, match=r"A grid of 200 points on each number has 241200 recipes"):
        SPACE.grid(200)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("network.depht={low=1,high=2}", "mlp has no setting 'depht'"),
        ("optimizer.learning_rate={low=1e-3,high=1e-4}", "low < high"),
        ("optimizer.learning_rate={low=-1.0,high=1.0}", "learning_rate"),
        ("optimizer.learning_rate={low=1e-3}", "is written {low = a, high = b}"),
        ("optimizer.learning_rate={low=1e-3,high=1,step=2}", "is written {low = a, high = b}"),
        ("network.depth={low=a,high=b}", "goes from a number to a number"),
        ("loss={choices=[focal]}", "two values or more"),
        ("loss={choices=[focal,focall]}", "did you mean 'focal'"),
        ("loss={choices=[focal,{name=weighted,scheme={choices=[balanced,none_such]}}]}", "scheme"),
    ],
)
def test_wrong_ranges_are_refused(setting: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(
        'kind = "table"\nnetwork = {name = "mlp"}\noptimizer = {name = "adamw"}\n', encoding="utf-8"
    )
    with pytest.raises(DataError, match=message):
        Space.read(tmp_path / "r.toml", (setting,))


def test_settings_put_ranges_into_a_recipe_file(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text('kind = "image"\nnetwork = {name = "cnn"}\n', encoding="utf-8")
    space = Space.read(tmp_path / "r.toml", ("batch_size={low=16,high=64,log=true}", "loss={choices=[focal,weighted]}"))
    assert [dimension.name for dimension in space.dimensions()] == ["batch_size", "loss"]
    assert space.dimensions()[0].where == Int(16, 64, log=True)


@pytest.mark.parametrize("kind", ["image", "table", "series"])
def test_the_default_space_has_the_usual_ranges_and_valid_draws(kind: str) -> None:
    network, augmentation = {
        "image": ("resnet", ["rotate"]),
        "table": ("mlp", ["cell_noise"]),
        "series": ("inception_time", ["jitter"]),
    }[kind]
    space = default_space(Recipe(kind=kind, network=network, augmentation=augmentation))
    names = {dimension.name for dimension in space.dimensions()}
    assert {
        "batch_size",
        "optimizer.learning_rate",
        "optimizer.weight_decay",
        "network.depth",
        "network.width",
        "network.dropout",
        "loss",
    } <= names
    assert any(name.startswith("augmentation.0.") for name in names)
    rng = np.random.default_rng(0)
    for _ in range(20):
        assert isinstance(space.draw(lambda name, where: where.sample(rng)), Recipe)


def test_series_are_searched_for_their_kernels_length_and_augmentation() -> None:
    space = default_space(Recipe(kind="series", network="inception_time"))
    where = {dimension.name: dimension.where for dimension in space.dimensions()}
    assert where["network.kernel"] == Choice("19", "39", "79")
    assert where["augmentation"] == Choice("none", "window_crop", "magnitude_scale + jitter")
    assert "augmentation=window_crop.0.min_share" in where
    rng = np.random.default_rng(0)
    draws = [space.draw(lambda name, where: where.sample(rng)) for _ in range(30)]
    assert {tuple(one.name for one in recipe.augmentation) for recipe in draws} == {
        (),
        ("window_crop",),
        ("magnitude_scale", "jitter"),
    }
    assert {recipe.network.kernel for recipe in draws} == {19, 39, 79}


@pytest.mark.parametrize("loss", ["cross_entropy", "logit_adjusted", "balanced_softmax", "focal"])
def test_one_loss_is_searched_once_whatever_its_name(loss: str) -> None:
    """balanced_softmax and logit_adjusted give the same loss."""
    names = default_space(Recipe(kind="table", network="mlp", loss=loss)).tree["loss"].values
    assert len({"logit_adjusted", "balanced_softmax"} & set(names)) == 1
    assert {loss, "cross_entropy"} <= set(names)

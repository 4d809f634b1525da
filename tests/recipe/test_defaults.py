"""The documented rules: they look at kind, number, skew and metric, and at nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rarebird.core.checks import DataError
from rarebird.data.dataset import Curves, Dataset, Frame, Pixels, Source
from rarebird.recipe.defaults import default_recipe
from rarebird.recipe.recipe import Recipe


def data(kind: str, counts: tuple[int, ...], regression: bool = False) -> Dataset:
    n = sum(counts)
    sources: dict[str, Source] = {
        "table": Frame(pd.DataFrame({"a": np.zeros(n)})),
        "image": Pixels(np.zeros((n, 1, 8, 8), dtype=np.uint8)),
        "series": Curves(np.zeros((n, 1, 5), dtype=np.float32), np.full(n, 5)),
    }
    y = np.linspace(0, 1, n) if regression else np.repeat(np.arange(len(counts)), counts)
    classes = () if regression else tuple("abcdef"[: len(counts)])
    task = "regression" if regression else "classification"
    return Dataset(kind, task, sources[kind], np.arange(n), y, classes, np.arange(n).astype(str))  # type: ignore[arg-type]


def names(recipe: Recipe, slot: str) -> list[str]:
    return [type(method).name for held, method in recipe.methods() if held == slot]


@pytest.mark.parametrize("kind", ["table", "image", "series"])
@pytest.mark.parametrize("counts", [(5, 3), (500, 40, 2), (30_000, 400)])
def test_every_size_and_skew_gets_a_recipe_that_round_trips(kind: str, counts: tuple[int, ...]) -> None:
    recipe = default_recipe(data(kind, counts), seed=3)
    assert recipe.seed == 3
    assert recipe.kind == kind
    assert Recipe.from_toml(recipe.to_toml()) == recipe


def test_even_classes_get_cross_entropy_and_one_temperature() -> None:
    even, skewed = default_recipe(data("image", (50, 50))), default_recipe(data("image", (90, 10)))
    assert (names(even, "loss"), names(skewed, "loss")) == (["cross_entropy"], ["logit_adjusted"])
    assert names(even, "calibration") == ["prior_correction", "temperature"]
    assert names(skewed, "calibration") == ["prior_correction", "temperature", "class_scale_bias"]


def test_the_decision_serves_the_metric() -> None:
    rows = data("table", (90, 10))
    wanted = {
        None: "balanced",
        "accuracy": "argmax",
        "macro_f1": "threshold",
        "roc_auc": "balanced",
        "recall:b": "threshold",
    }
    for metric, decision in wanted.items():
        assert names(default_recipe(rows, metric), "decision") == [decision]
    with pytest.raises(DataError, match="no metric"):
        default_recipe(rows, "accurracy")
    with pytest.raises(DataError, match="does not judge classification; use one of balanced_accuracy"):
        default_recipe(rows, "r2")
    with pytest.raises(DataError, match="does not judge regression; use one of mean_squared_error"):
        default_recipe(data("table", (100,), regression=True), "accuracy")


def test_pictures_are_never_flipped() -> None:
    assert not {"horizontal_flip", "vertical_flip"} & set(
        names(default_recipe(data("image", (90, 10))), "augmentation")
    )


def test_only_many_rows_stop_early() -> None:
    assert "early_stopping" not in names(default_recipe(data("table", (900, 100))), "regularization")
    assert "early_stopping" in names(default_recipe(data("table", (30_000, 100))), "regularization")


def test_regression_has_neither_classes_calibration_nor_their_loss() -> None:
    recipe = default_recipe(data("table", (100,), regression=True))
    assert names(recipe, "loss") == ["mean_squared"]
    assert names(recipe, "calibration") == []
    assert recipe.metric == "mean_squared_error"


def test_small_tables_get_steps_enough_and_batches_grow_with_rows() -> None:
    for n in (100, 1000, 9000):
        recipe = default_recipe(data("table", (n - 20, 20)))
        assert recipe.epochs is not None
        assert recipe.epochs * n / recipe.batch_size >= 290
    sizes = [default_recipe(data("table", (n - 5, 5))).batch_size for n in (50, 500, 2000, 50_000)]
    assert sizes == sorted(sizes)
    assert sizes[0] == 16
    assert sizes[-1] == 256

"""A network with given weights is fine-tuned by default; what the user sets holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from rarebird.automl.pretrained import without_weights
from rarebird.core.checks import DataError
from rarebird.data.dataset import Splits
from rarebird.recipe.defaults import default_recipe
from rarebird.recipe.fine_tuning import fine_tuned, with_settings
from rarebird.recipe.recipe import Recipe
from rarebird.runs.request import Request, resolve_recipe
from tests.methods.network.test_backbone import pictures

TRAIN = pictures(900)
DEFAULT = default_recipe(TRAIN)
TUNED = fine_tuned(DEFAULT)
WEIGHTS = ("network={name=backbone,model=test_resnet}", "transfer.file=w.safetensors")


def settled(*settings: str) -> Recipe:
    return Recipe(**with_settings(DEFAULT, settings))


def test_given_weights_are_fine_tuned() -> None:
    recipe = settled(*WEIGHTS)
    assert recipe.stages == TUNED.stages != DEFAULT.stages
    assert (recipe.epochs, recipe.batch_size, recipe.optimizer.learning_rate) == (30.0, 32, 1e-3)  # type: ignore[attr-defined]
    assert recipe.augmentation == DEFAULT.augmentation
    assert recipe.optimizer.settings() == DEFAULT.optimizer.settings() | {"learning_rate": 1e-3}


@pytest.mark.parametrize(
    "settings",
    [
        (),
        ("network=cnn",),
        ("network={name=backbone,model=test_resnet}",),
        ("network=cnn", "transfer=self_supervised"),
        (*WEIGHTS, "stages=linear_probe"),
        (*WEIGHTS, "stages=[{trainable=head}]"),
        (*WEIGHTS, "head=ridge"),
    ],
)
def test_nothing_changes_where_no_given_body_learns(settings: tuple[str, ...]) -> None:
    assert settled(*settings) == DEFAULT.with_settings(list(settings))


@pytest.mark.parametrize("stages", ["full", "[{trainable=head}, {layer_decay=0.7}]"])
def test_what_the_user_sets_holds(stages: str) -> None:
    recipe = settled(*WEIGHTS, "optimizer.learning_rate=0.02", f"stages={stages}", "epochs=3")
    assert recipe.optimizer.learning_rate == 0.02  # type: ignore[attr-defined]
    assert recipe.stages == DEFAULT.with_settings([f"stages={stages}"]).stages
    assert (recipe.epochs, recipe.batch_size) == (3.0, 32)
    assert settled(*WEIGHTS, "optimizer=sgd").optimizer == DEFAULT.with_settings(["optimizer=sgd"]).optimizer


def test_an_unknown_plan_is_refused_by_the_recipe() -> None:
    with pytest.raises(DataError, match="there is no plan of stages"):
        settled(*WEIGHTS, "stages=layer_deca")


def test_small_batches_stay_small() -> None:
    assert fine_tuned(DEFAULT.updated(batch_size=16)).batch_size == 16


def test_a_recipe_file_is_taken_as_it_is() -> None:
    """It may come from a run, whose figures it must repeat."""
    given = DEFAULT.with_settings(list(WEIGHTS))
    request = Request(Path("data"), settings=("epochs=2",))
    assert resolve_recipe(request, given, Splits(TRAIN)) == given.updated(epochs=2.0)
    assert resolve_recipe(Request(Path("data"), settings=WEIGHTS), None, Splits(TRAIN)) == settled(*WEIGHTS)


def test_what_a_search_trains_from_nothing_is_not_fine_tuned() -> None:
    request = Request(Path("data"), metric="accuracy", seed=3, settings=WEIGHTS)
    base = resolve_recipe(request, None, Splits(TRAIN))
    assert isinstance(base, Recipe)
    expected = default_recipe(TRAIN, "accuracy", 3)
    assert without_weights(base, TRAIN) == expected

"""The recipe with which a trained network is trained further."""

from __future__ import annotations

import pytest

from rarebird.recipe.recipe import Recipe
from rarebird.training.fine_tuning import RATE, fine_tuning_recipe


@pytest.mark.parametrize("plan", ["layer_decay", "gradual_unfreezing", "linear_probe", "crt", "full"])
def test_all_layers_and_their_statistics_are_trained(plan: str) -> None:
    recipe = Recipe(kind="image", network="resnet", stages=plan, steps=100)
    (stage,) = fine_tuning_recipe(recipe, steps=7).stages
    assert stage.trainable == "all"
    assert not stage.frozen_statistics


def test_rate_and_steps_are_shares_of_the_first_training() -> None:
    recipe = Recipe(kind="image", network="resnet", steps=100)
    further = fine_tuning_recipe(recipe)
    assert further.steps == 30
    assert further.optimizer.learning_rate == pytest.approx(RATE * recipe.optimizer.learning_rate)  # type: ignore[attr-defined]
    assert fine_tuning_recipe(recipe, steps=7).steps == 7

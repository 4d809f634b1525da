"""A key that no recipe has is answered with what was probably meant."""

from __future__ import annotations

import pytest

from rarebird.core.checks import DataError
from rarebird.recipe.recipe import Recipe
from rarebird.recipe.suggestions import OTHER_NAMES, meaning


@pytest.mark.parametrize(
    ("setting", "meant"),
    [
        ("dropout=0.3", "network.dropout"),
        ("lr=0.1", "optimizer.learning_rate"),
        ("weight_decay=0.1", "optimizer.weight_decay"),
        ("gamma=3", "loss.gamma"),
        ("smote=1", "resampling=smote"),
        ("mixup=1", "augmentation=mixup"),
        ("n_epochs=3", "epochs"),
        ("Optimiser=sgd", "optimizer"),
        ("netwrok=mlp", "network"),
        ("loss=smote", "resampling=smote"),
    ],
)
def test_what_was_meant(setting: str, meant: str) -> None:
    recipe = Recipe(kind="table", network="mlp", loss="focal")
    with pytest.raises((DataError, ValueError), match=rf"did you mean '{meant}'\?"):
        recipe.with_settings([setting])


def test_every_other_name_has_a_meaning() -> None:
    plain = Recipe(kind="table", network="mlp").plain()
    for name in OTHER_NAMES:
        assert name not in Recipe.model_fields
        assert meaning(name, plain, Recipe.model_fields) is not None, name

"""How the layers of a network with given weights learn: the settings that its default recipe begins from.

The rates of a network that begins from nothing would spoil given weights, and batches of its size leave too few steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rarebird.recipe.recipe import Recipe
from rarebird.recipe.stage_plans import plan
from rarebird.recipe.text import assigned

# Most passes over the rows, and largest batches: a step on larger ones takes seconds.
EPOCHS, BATCH, RATE = 30.0, 32, 1e-3
STAGES = "layer_decay"
# The fields of a recipe that `fine_tuned` sets.
FIELDS = ("stages", "epochs", "batch_size", "optimizer")
# The network whose weights others have learned, and the methods that bring them.
BACKBONE, METHODS = "backbone", ("checkpoint", "from_run")


def fine_tuned(recipe: Recipe) -> Recipe:
    """The recipe that trains all layers of given weights: first the head, then all, at low rates."""
    optimizer = recipe.optimizer.model_copy(update={"learning_rate": RATE})
    return recipe.updated(stages=STAGES, epochs=EPOCHS, batch_size=min(recipe.batch_size, BATCH), optimizer=optimizer)


def with_settings(default: Recipe, settings: Sequence[str]) -> dict[str, Any]:
    """The plain values of a default recipe with ``--set`` assignments applied in order. Where these name the weights of
    a backbone whose body learns, they are applied to the recipe of a fine-tuning.

    Raises:
        DataError: A setting is no assignment, or its key is unknown (the message has the nearest valid name).
    """
    plain = assigned(default.plain(), settings, Recipe.model_fields)
    if not _tunes_given_weights(plain):
        return plain
    return assigned(fine_tuned(default).plain(), settings, Recipe.model_fields)


def _tunes_given_weights(plain: Mapping[str, Any]) -> bool:
    """Whether a recipe's plain values, which are not yet checked, train the body of a backbone with given weights."""
    if _name(plain.get("network")) != BACKBONE or _name(plain.get("transfer")) not in METHODS:
        return False
    return not plain.get("head") and not plain.get("reference") and not _is_frozen(plain.get("stages"))


def _name(method: object) -> object:
    return method.get("name") if isinstance(method, Mapping) else method


def _is_frozen(stages: object) -> bool:
    """Whether all stages train the head alone."""
    try:
        found = plan(stages)
    except ValueError:
        return False  # whoever builds the recipe says what is wrong
    if not isinstance(found, Sequence):
        return False
    return all(isinstance(stage, Mapping) and stage.get("trainable") == "head" for stage in found)

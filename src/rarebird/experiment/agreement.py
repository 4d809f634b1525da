"""What the processes that train together must have in common, and which recipes they can share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rarebird.core.checks import DataError
from rarebird.core.version import VERSION
from rarebird.recipe import ensemble
from rarebird.recipe.ensemble import AnyRecipe
from rarebird.training import distributed
from rarebird.training.pretraining import learns


def agree(recipe: AnyRecipe, fingerprint: str, checkpoints: Path | None = None) -> Path | None:
    """Check that all ranks have the same data, recipe and version, and that they can share the training.

    Args:
        recipe: What to train.
        fingerprint: Of the training rows.
        checkpoints: The folder of the checkpoints, which the first rank knows.

    Returns:
        That folder.

    Raises:
        DataError: They differ, or a part of the recipe is trained by one process only.
    """
    if distributed.count() == 1:
        return checkpoints
    distributed.require_same({"versions": VERSION, "training rows": fingerprint, "recipes": recipe.to_toml()})
    for _, one in ensemble.members(recipe):
        if (why := _why_undivided(one)) is not None:
            raise DataError(f"Several devices share the steps of a network, but {why}; leave out --devices.")
    return distributed.agreed(checkpoints)


def _why_undivided(recipe: Any) -> str | None:
    """What of a recipe one process trains alone; None if ranks can share all of it."""
    if recipe.reference is not None:
        return f"the recipe trains {recipe.reference.name} in its place"
    if recipe.head is not None:
        return f"the recipe solves its head ({recipe.head.name}) in one step"
    if recipe.synthesis is not None:
        return f"the recipe's generator ({recipe.synthesis.name}) learns in one process"
    if learns(recipe):
        return f"the recipe's {recipe.transfer.name} pretraining runs in one process"
    return None

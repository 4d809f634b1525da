"""Unlabeled rows in a recipe: the network's body learns from them by its slot `transfer`, which records the pool."""

from __future__ import annotations

from typing import Any

from rarebird.core.checks import DataError
from rarebird.data.dataset import Splits
from rarebird.recipe import ensemble
from rarebird.recipe.ensemble import AnyRecipe
from rarebird.recipe.recipe import Recipe
from rarebird.slots import methods
from rarebird.training.pretraining import learns

METHOD = "self_supervised"
UNUSED = f"The recipe does not learn from unlabeled rows; --set transfer={METHOD} learns from those of --unlabeled."


def learning_without_labels(recipe: Recipe, data: Splits) -> Recipe:
    """The recipe whose network first learns without labels: by its own `transfer` if that does, or the usual method; it
    records the pool."""
    transfer: Any = recipe.transfer if learns(recipe) else methods.build("transfer", {"name": METHOD})
    pool = None if data.unlabeled is None else data.unlabeled.fingerprint
    return recipe.updated(transfer=transfer.model_copy(update={"fingerprint": pool}))


def with_pool(recipe: AnyRecipe, data: Splits, is_default: bool) -> tuple[AnyRecipe, list[str]]:
    """The recipe as it learns from the pool of the data, and notes.

    A recipe without a file learns from whatever is given, unless its network begins with other weights or is no part of
    it. A recipe file decides itself: it is repeated as it was recorded.
    """
    if not isinstance(recipe, Recipe):
        used = any(learns(one) for _, one in ensemble.members(recipe))
        return recipe, [] if used or data.unlabeled is None else [UNUSED]
    if data.unlabeled is None:
        return recipe, []
    if learns(recipe):
        known = getattr(recipe.transfer, "fingerprint", None)
        return (recipe if known else learning_without_labels(recipe, data)), []
    if is_default and recipe.transfer is None and recipe.reference is None and recipe.head is None:
        return learning_without_labels(recipe, data), []
    return recipe, [UNUSED]


def check_pool(recipe: AnyRecipe, data: Splits) -> None:
    """Refuse a recipe that was recorded with a pool of unlabeled rows where none is given.

    Raises:
        DataError: None is given.
    """
    if data.unlabeled is None and _pools(recipe):
        raise DataError(
            "The recipe's network learned from unlabeled rows (transfer.fingerprint), but none are given; give them "
            "with --unlabeled, or take the pool out with --set transfer.fingerprint=none."
        )


def pool_notes(recipe: AnyRecipe, data: Splits) -> list[str]:
    """A note where the pool is not the one that the recipe records."""
    pools = _pools(recipe)
    if data.unlabeled is None or not pools or data.unlabeled.fingerprint in pools:
        return []
    return ["The unlabeled rows are not those with which the recipe was recorded, so it gives other figures."]


def _pools(recipe: AnyRecipe) -> set[str]:
    """Fingerprints of the pools that a recipe records."""
    found = {getattr(one.transfer, "fingerprint", None) for _, one in ensemble.members(recipe) if learns(one)}
    return {one for one in found if one}

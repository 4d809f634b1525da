"""A recipe on its way into a race."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rarebird.recipe.recipe import Recipe

# A course that is cut below this share of its length says little of a recipe, so that it is not begun.
ENOUGH = 0.6


@dataclass(frozen=True)
class Entry:
    """A recipe with what a race has to know of it.

    Attributes:
        name: What it is called in reports; repeats of one recipe with another seed bear the same.
        recipe: What to train.
        share: Of the time that is left, how much it may take at most; 1 for the recipe that gets whatever there is.
        is_reference: Whether it is no network, but what a user would pick instead.
        enough: Share of its own course for which there must be time.
        must: Whether it is trained however little time there is.
        stays: Whether it goes through all parts even where it is worse; what must be trained stays too.
        partial: Whether this is a short course that is only to be compared with others of its kind; it does not finish
            the race.
        settings: What a search chose for it.
    """

    name: str
    recipe: Recipe
    share: float = 1.0
    is_reference: bool = False
    enough: float = ENOUGH
    must: bool = False
    stays: bool = False
    partial: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)

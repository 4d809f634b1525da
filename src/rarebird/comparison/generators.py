"""Generators of synthetic rows in a comparison: each learns for as many steps as its share of the time allows, and one
that could hardly learn is left out, so that it does not take the time of the other remedies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rarebird.comparison.course import FEWEST_STEPS_SHARE
from rarebird.comparison.repeated_splits import BASELINE, RepeatedCrossValidation
from rarebird.core.compute import Compute
from rarebird.recipe.recipe import Recipe
from rarebird.training import synthesis


def plan_generators(recipes: Mapping[str, Recipe], validation: RepeatedCrossValidation, seconds: float) -> None:
    """Plan each generator for one repeat, and leave out the remedies whose generators are too slow.

    Args:
        recipes: Name -> recipe, the baseline among them.
        validation: Gets the planned generators, and the reasons why remedies are left out.
        seconds: The time for the whole comparison, of which each recipe gets an equal share.
    """
    train = validation.train.take(validation.parts(0)[0][0])
    for name, recipe in recipes.items():
        asked: Any = recipe.synthesis
        if asked is None or asked in validation.generators:
            continue
        compute, share = Compute(validation.device), seconds / len(recipes)
        planned: Any = synthesis.planned(recipe, train, compute, validation.folds, share).synthesis
        validation.generators[asked] = planned
        if name != BASELINE and planned.steps < FEWEST_STEPS_SHARE * asked.steps:
            validation.failed[name] = (
                f"in its share of the time, its generator would learn for {planned.steps:,} of {asked.steps:,} steps; "
                "give a longer --budget"
            )

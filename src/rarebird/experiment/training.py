"""Trains the networks of a run: those of one recipe, or of each recipe of an ensemble in turn."""

from __future__ import annotations

import time

from rarebird.core.clock import Clock, end_of_share
from rarebird.core.compute import Compute
from rarebird.core.progress import part_of
from rarebird.evaluation.cost import HOUR, Cost
from rarebird.experiment.setup import Setup
from rarebird.recipe import ensemble
from rarebird.recipe.ensemble import AnyRecipe, Ensemble
from rarebird.training import distributed
from rarebird.training.cross_fit import CrossFit, cross_fit_all, parts_of


def training_clock(recipe: AnyRecipe, clock: Clock | None) -> Clock:
    """The clock of a training: a recipe with given steps ignores it, so that it gives the same run each time."""
    return clock if clock and _has_open_steps(recipe) else Clock()


def _has_open_steps(recipe: AnyRecipe) -> bool:
    recipes = [one for _, one in ensemble.members(recipe)]
    if isinstance(recipe, Ensemble) and recipe.student is not None:
        recipes.append(recipe.student)
    return any(one.steps is None for one in recipes)


def train(recipe: AnyRecipe, setup: Setup, compute: Compute) -> list[CrossFit]:
    """Train the networks of each recipe; the remaining time is divided equally among the remaining recipes."""
    fits: list[CrossFit] = []
    recipes = ensemble.members(recipe)
    for place, (weight, one) in enumerate(recipes):
        member = f" of member {place + 1} of {len(recipes)}" if len(recipes) > 1 else ""
        share = Compute(
            compute.device,
            end_of_share(compute.deadline, time.monotonic(), len(recipes) - place),
            part_of(compute.progress, place / len(recipes), 1 / len(recipes), member),
            None if compute.checkpoints is None else compute.checkpoints / f"recipe_{place}",
        )
        # Each recipe has its own folds, by its own seed; all recipes share one hold-out.
        parts = parts_of(one, setup.splits, setup.parts(one.seed if setup.protocol.folds else recipe.seed))
        fits.append(cross_fit_all(one, setup.splits, parts, share, weight))
        if fits[-1].ended_by_user:
            break
    return fits


def shared_cost() -> Cost:
    """What the other ranks have taken; all ranks call it at the end of the trainings."""
    own = time.process_time()
    return Cost(processes=distributed.count(), cpu_hours_of_others=(sum(distributed.from_all(own)) - own) / HOUR)

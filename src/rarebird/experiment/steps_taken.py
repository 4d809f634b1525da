"""How much of its planned training a shipped recipe got, and why it ended early."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rarebird.core.clock import Clock
from rarebird.data.dataset import Dataset
from rarebird.evaluation.result import StepsTaken
from rarebird.experiment.setup import Setup, few_folds
from rarebird.training.cross_fit import CrossFit
from rarebird.training.step_plan import StepCounts, repetition


def steps_taken(fits: Sequence[CrossFit], train: Dataset) -> StepsTaken | None:
    """The steps of each network (or the rounds of each reference) of the recipe with the largest weight, and the steps
    of its ``epochs``, with which it would have been trained without a limit of time or steps.

    Where a resampling changes the number of rows, the steps of the epochs are approximate.

    Returns:
        None if the recipe has no `epochs`, or a head that is solved.
    """
    models = max((one for one in fits if one.trained), key=lambda one: one.weight, default=None)
    if models is None or models.recipe.steps is None:
        return None
    recipe, planned = models.recipe, models.recipe.steps
    taken = min(one.changes[-1][1] if one.changes else planned for one in models.trained)
    if recipe.reference is not None:
        reference: Any = recipe.reference
        return StepsTaken(steps=taken, full_steps=max(int(getattr(reference, "rounds", taken)), taken))
    if recipe.epochs is None or recipe.head is not None:
        return None
    held = len(models.unseen_rows(0)) if len(models.trained) > 1 or recipe.holdout else 0
    n_rows = max(len(train) - held, 1)
    counts = StepCounts(recipe, n_rows, n_rows, repetition(recipe, train, train.class_counts))
    return StepsTaken(steps=taken, full_steps=max(counts.maximum, taken), epochs=recipe.epochs)


def ended_early(fits: Sequence[CrossFit], clock: Clock, setup: Setup) -> list[str]:
    """A sentence on why the training ended before the budget; empty where it did not."""
    last = fits[-1]
    if last.ended_by_user:
        return [f"Training was ended early, at {len(last.trained)} of {max(setup.protocol.folds, 1)} networks."]
    if last.ended_by_clock:
        return few_folds(len(last.trained), setup)
    if not clock.ends_early():
        return []
    epochs = last.recipe.epochs or 0
    reasons = {
        "epochs": f"after {epochs:g} passes over the rows; more were not expected to help (--set epochs=N allows "
        "them).",
        "stop": "when held-out rows stopped gaining.",
        "solved": "because its head is solved in closed form, and more time does not change it.",
    }
    causes = {one.ended for models in fits for one in models.trained}
    return [f"Training ended before the budget, {reasons[cause]}" for cause in reasons if cause in causes][:1]

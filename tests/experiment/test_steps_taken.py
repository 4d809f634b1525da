"""The share of its planned training that a recipe got."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from rarebird.data.dataset import Dataset, Frame, Splits
from rarebird.evaluation.result import StepsTaken
from rarebird.experiment.run import run
from rarebird.experiment.steps_taken import steps_taken
from rarebird.recipe.recipe import Recipe
from rarebird.training.cross_fit import CrossFit

BASE = Recipe(
    kind="table", network={"name": "mlp", "width": 8, "depth": 1}, batch_size=10, epochs=50, folds=2, steps=20
)


def rows(n: int = 200) -> Dataset:
    y = np.arange(n) % 2
    frame = Frame(pd.DataFrame({"a": np.random.default_rng(0).normal(y)}))
    return Dataset("table", "classification", frame, np.arange(n), y, ("no", "yes"), np.arange(n).astype(str))


def test_steps_against_the_passes_that_the_recipe_allows() -> None:
    # Two networks with 80 of the 160 training rows each: 50 passes in batches of 10 are 400 steps.
    assert run(BASE, Splits(rows())).result.steps == StepsTaken(steps=20, full_steps=400, epochs=50)
    complete = run(BASE.updated(steps=None, epochs=2), Splits(rows())).result.steps
    assert complete == StepsTaken(steps=16, full_steps=16, epochs=2)
    assert run(BASE.updated(epochs=None), Splits(rows())).result.steps is None


def test_rounds_of_a_reference() -> None:
    recipe = BASE.updated(reference={"name": "boosted_trees", "rounds": 60}, steps=15)
    assert run(recipe, Splits(rows())).result.steps == StepsTaken(steps=15, full_steps=60)


def test_an_early_end_and_the_member_of_largest_weight_count() -> None:
    def fit(weight: float, steps: int, *changes: list[tuple[int, int]]) -> CrossFit:
        trained: Any = [SimpleNamespace(changes=one, own_outputs=None) for one in changes]
        held = [np.arange(100)] * len(trained)
        return CrossFit(BASE.updated(steps=steps), trained, held, weight)

    fits = [fit(0.2, 90, []), fit(0.8, 70, [(10, 60)], [(30, 50), (40, 45)])]
    assert steps_taken(fits, rows()) == StepsTaken(steps=45, full_steps=500, epochs=50)
    assert steps_taken([CrossFit(BASE)], rows()) is None

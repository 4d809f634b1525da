"""More recipes for pictures: only where there is time for them beside other seeds, and never within two minutes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rarebird.automl.picture_variants import affordable, variants
from rarebird.data.dataset import Splits
from rarebird.experiment.run import run
from rarebird.recipe.defaults import default_recipe
from rarebird.recipe.recipe import Recipe
from tests.contracts.test_external import pictures


def race(budget: float, seconds: float, roles: tuple[str, ...] = ("portfolio", "default")) -> Any:
    """A race in which each training takes some seconds, and each that was yielded was trained."""
    finished = [SimpleNamespace(role=role, seconds=seconds) for role in roles]
    made = SimpleNamespace(finished=finished, begun=100.0, deadline=100.0 + budget, now=100.0 + seconds)
    made.time_left = lambda: made.deadline - made.now
    return made


def trained(made: Any, base: Recipe) -> list[Any]:
    entries = []
    for entry in affordable(base, made):
        entries.append(entry)
        made.now += made.finished[-1].seconds
    return entries


def test_they_need_time_for_two_more_trainings_and_more_than_two_minutes() -> None:
    base = default_recipe(pictures())
    every = len(variants(base))
    assert every >= 1
    assert len(trained(race(290, 20), base)) == every
    assert len(trained(race(290, 90), base)) == 1
    assert not trained(race(290, 130), base)
    assert not trained(race(115, 1), base), "two minutes are for today's default and its other seeds"
    assert not trained(race(np.inf, 1), base), "a search without a clock has no time left over"
    assert not trained(race(290, 20, roles=("portfolio",)), base)
    assert not trained(race(290, 20), Recipe(kind="table", network="mlp"))


def test_each_has_a_name_and_recipe_of_its_own_and_a_share_of_the_time_that_is_left() -> None:
    base = default_recipe(pictures())
    found = trained(race(290, 20), base)
    assert len({entry.name for entry in found}) == len({entry.recipe.to_toml() for entry in found}) == len(found)
    assert all(entry.recipe != base for entry in found)
    assert found[0].share == pytest.approx(1.3 * 20 / 270)


@pytest.mark.parametrize("place", range(len(variants(default_recipe(pictures())))))
def test_each_trains(place: int) -> None:
    train = pictures()
    entry = variants(default_recipe(train))[place]
    short = entry.recipe.updated(steps=2, folds=0, holdout=0.3, threads=1, precision="float32")
    assert np.isfinite(run(short, Splits(train), test_share=0).model.outputs(train)).all()

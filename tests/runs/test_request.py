"""A request's recipe, and that duplicates are searched for only as often as needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rarebird.core.clock import Clock
from rarebird.data.dataset import Dataset
from rarebird.profile import duplicates
from rarebird.recipe.recipe import Recipe
from rarebird.runs import request
from rarebird.runs.fit_recipe import fit_recipe
from rarebird.runs.request import Request, resolve_recipe


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=80), "b": rng.normal(size=80), "target": ["n", "y", "n", "n"] * 20})
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    return path


def test_recorded_changes_of_the_step_plan_are_kept_with_its_steps_alone(table: Path) -> None:
    recorded = Recipe(kind="table", network="mlp", steps=100, folds=2, relaid=(((20, 60),), ((30, 90),)))
    data = request.read_data(Request(table, Path()), None)

    def resolved(*settings: str, **changes: int) -> Recipe:
        return resolve_recipe(Request(table, Path(), settings=settings, **changes), recorded, data)  # type: ignore[arg-type]

    assert resolved() == recorded
    assert resolved("loss=focal", seed=3).relaid == recorded.relaid
    assert resolved(steps=50).relaid == resolved("steps=50").relaid == resolved("folds=3").relaid == ()
    assert resolved(steps=50).steps == 50


def test_duplicates_are_searched_for_once_where_there_are_only_training_rows(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    real = duplicates.find

    def counting(parts: list[Dataset], **options: bool) -> duplicates.Matches:
        looked.append(len(parts))
        return real(parts, **options)

    for module in (duplicates, request.duplicates):
        monkeypatch.setattr(module, "find", counting)
    monkeypatch.setattr("rarebird.profile.profile.find", counting)
    settings = ("folds=2", "network.width=8")
    fit_recipe(Request(table, tmp_path / "one", steps=2, settings=settings), Clock(60))
    assert looked == [1]
    looked.clear()
    fit_recipe(Request(table, tmp_path / "two", test=table, steps=2, settings=settings), Clock(60))
    # The profile looks at the test rows, too; the split must not depend on them, so it needs a search of its own.
    assert sorted(looked) == [1, 2]

"""`fit` from Python: which recipe it takes, and that each part of the data's way is gone once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rarebird.runs import request
from rarebird.core.clock import Clock
from rarebird.profile import duplicates
from rarebird.data.dataset import Dataset
from rarebird.runs.request import Request, chosen_recipe
from rarebird.recipe.recipe import Recipe


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=80), "b": rng.normal(size=80), "target": ["n", "y", "n", "n"] * 20})
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    return path


def test_recorded_changes_of_a_course_go_with_its_steps(table: Path) -> None:
    recorded = Recipe(kind="table", network="mlp", steps=100, folds=2, relaid=(((20, 60),), ((30, 90),)))
    data = request.read(Request(table, Path()), None)

    def chosen(*settings: str, **changes: int) -> Recipe:
        return chosen_recipe(Request(table, Path(), settings=settings, **changes), recorded, data)  # type: ignore[arg-type]

    assert chosen() == recorded
    assert chosen("loss=focal", seed=3).relaid == recorded.relaid
    assert chosen(steps=50).relaid == chosen("steps=50").relaid == chosen("folds=3").relaid == ()
    assert chosen(steps=50).steps == 50


def test_duplicates_are_looked_for_once_where_there_are_training_rows_alone(
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
    request.fit(Request(table, tmp_path / "one", steps=2, settings=settings), Clock(60))
    assert looked == [1]
    looked.clear()
    request.fit(Request(table, tmp_path / "two", test=table, steps=2, settings=settings), Clock(60))
    # The split may not depend on the test rows, which the profile looks at too.
    assert sorted(looked) == [1, 2]

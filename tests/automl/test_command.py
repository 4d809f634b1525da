"""`fit` as a search: what is asked for, what ships, what is written, and that it repeats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rarebird import readers
from rarebird.automl import command
from rarebird.automl import search as searching
from rarebird.automl.portfolio import PortfolioEntry
from rarebird.automl.search import SearchOptions
from rarebird.core.clock import Clock
from rarebird.experiment.run import Outcome
from rarebird.model.model import load
from rarebird.readers.options import ReadOptions
from rarebird.recipe.ensemble import Ensemble
from rarebird.recipe.recipe import Recipe
from rarebird.runs.fit_recipe import fit_recipe
from rarebird.runs.request import Request
from rarebird.training import part_seconds
from rarebird.training.network_trainer import NetworkTrainer


def table(path: Path, n: int = 160, regression: bool = False, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    signal = x[:, 0] + 0.5 * x[:, 1] + 0.5 * rng.normal(size=n)
    target = signal if regression else np.where(signal > 0.9, "rare", "common")
    pd.DataFrame(x, columns=["a", "b", "c"]).assign(kind=rng.choice(["x", "y"], n), target=target).to_csv(
        path, index=False
    )
    return path


def short(train: object, base: Recipe, references: bool = True, *more: object) -> list[PortfolioEntry]:
    """Two recipes of few steps and one of few trees."""
    linear = base.with_settings(["network=linear", "steps=15", "batch_size=64"])
    trees = base.with_settings(["reference={name=boosted_trees,rounds=8}"])
    mlp = base.with_settings(["network={name=mlp,depth=1,width=16}", "steps=15"])
    entries = [
        PortfolioEntry("linear", linear, 0.5),
        PortfolioEntry("trees", trees, 0.5, is_reference=True),
        PortfolioEntry("mlp", mlp, 1.0, role="default", stays=True),
    ]
    return [entry for entry in entries if references or not entry.is_reference]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "portfolio", short)
    monkeypatch.setattr(searching, "MOST_REPEATS", 2)


def search(folder: Path, **more: bool) -> tuple[Outcome, Request]:
    request = Request(data=table(folder / "rows.csv"), out=folder / "run", settings=("folds=3",))
    return command.fit(request, Clock(), **more), request


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({}, True),
        ({"settings": ("folds=3", "threads=1")}, True),
        ({"settings": ("loss=focal",)}, False),
        ({"settings": ("batch_size=32",)}, False),
        ({"steps": 10}, False),
        ({"recipe": Path("recipe.toml")}, False),
    ],
)
def test_only_an_open_recipe_is_searched(changes: dict[str, object], asked: bool) -> None:
    assert command.is_asked_for(Request(Path("data.csv"), Path("run"), **changes)) is asked  # type: ignore[arg-type]


def test_the_final_model_is_written_and_repeats(few: None, tmp_path: Path) -> None:
    outcome, request = search(tmp_path)
    run = request.out
    assert {"trials.db", "recipe.toml", "report.html", "result.json", "data.json", "model"} <= {
        path.name for path in run.iterdir()
    }
    assert "What was tried" in (run / "report.html").read_text(encoding="utf-8")
    tried = outcome.result.tried
    assert {one.name for one in tried if one.loss is not None} == {"linear", "trees", "mlp"}
    assert sum(one.share for one in tried) == pytest.approx(1)
    assert tried[0].behind == 0
    assert all((one.behind or 0) >= 0 for one in tried)
    rows = readers.read(request.data, ReadOptions()).train
    expected = outcome.model.outputs(rows)
    np.testing.assert_array_equal(load(run).outputs(rows), expected)
    again = fit_recipe(Request(data=request.data, out=tmp_path / "again", recipe=run / "recipe.toml"), Clock())
    np.testing.assert_array_equal(again.model.outputs(rows), expected)
    assert again.result.test is not None
    assert outcome.result.test is not None
    assert again.result.test.metrics == outcome.result.test.metrics


def test_a_student_takes_the_place_of_the_members_and_repeats(few: None, tmp_path: Path) -> None:
    outcome, request = search(tmp_path, options=SearchOptions(single=True))
    assert isinstance(outcome.recipe, Ensemble)
    assert outcome.recipe.student is not None
    assert len(outcome.model.members) == 1
    assert outcome.result.n_train == 128
    assert any("distilled" in note for note in outcome.result.notes)
    again = fit_recipe(Request(data=request.data, out=tmp_path / "again", recipe=request.out / "recipe.toml"), Clock())
    rows = readers.read(request.data, ReadOptions()).train
    np.testing.assert_array_equal(again.model.outputs(rows), outcome.model.outputs(rows))


def test_without_references_no_trees_compete(few: None, tmp_path: Path) -> None:
    outcome, _ = search(tmp_path, options=SearchOptions(references=False))
    assert not any(one.is_reference or one.name == "trees" for one in outcome.result.tried)


def test_numbers_are_searched_for_too(few: None, tmp_path: Path) -> None:
    data = table(tmp_path / "rows.csv", regression=True)
    outcome = command.fit(
        Request(data=data, out=tmp_path / "run", settings=("folds=3",)), Clock(), options=SearchOptions(single=True)
    )
    assert outcome.result.test is not None
    assert outcome.result.test.metrics["r2"].value is not None


def test_a_search_that_the_user_ends_keeps_its_candidates(few: None, tmp_path: Path) -> None:
    request = Request(data=table(tmp_path / "rows.csv"), out=tmp_path / "run", settings=("folds=3",))
    ends = iter([False] * 12)
    outcome = command.fit(request, Clock(), lambda progress, what: next(ends, True))
    assert any("ended early" in note for note in outcome.result.notes)
    assert (request.out / "model").is_dir()


def test_a_reference_ships_where_every_network_would_end_too_late(
    tmp_path: Path, few: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine the time is up before anything is trained, and even the quickest network takes too long."""
    monkeypatch.setattr(part_seconds, "LONGEST_OVERRUN", 60.0)
    monkeypatch.setattr(NetworkTrainer, "least_seconds", lambda self, deadline: 1000.0)
    request = Request(data=table(tmp_path / "rows.csv"), out=tmp_path / "run", settings=("folds=3",))
    outcome = command.fit(request, Clock(4.0))
    assert isinstance(outcome.recipe, Recipe)
    assert outcome.recipe.reference is not None
    assert load(request.out / "model").classes == ("common", "rare")

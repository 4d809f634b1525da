"""A run's folder: model, recipe and scores survive whatever happens to tables and pages, and earlier runs survive
errors."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset, Frame, Splits
from rarebird.experiment.run import Outcome, run
from rarebird.model.model import Model
from rarebird.profile.profile import profile
from rarebird.recipe.recipe import Recipe
from rarebird.runs import folder as run_folder
from rarebird.runs import predict
from rarebird.runs.request import DataSummary
from tests.runs.owning import visible, write_run

Write = Callable[..., Outcome]
ALL = [
    *("DATA_CARD.md", "MODEL_CARD.md", "data.json", "explanation.json", "held_out_predictions.csv"),
    *("held_out_rows.safetensors", "learned_rows.safetensors", "model"),
    *("recipe.toml", "report.html", "result.json", "test_predictions.csv", "test_rows.safetensors"),
]


@pytest.fixture(scope="module")
def finished() -> tuple[Outcome, DataSummary]:
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    frame = pd.DataFrame({"a": rng.normal(y), "b": rng.normal(size=60)})
    name = os.fsdecode(b"not-\xff-unicode")
    data = Dataset(
        "table", "classification", Frame(frame), np.arange(60), y, ("n", "y"), np.arange(60).astype(str), name=name
    )
    recipe = Recipe(kind="table", network={"name": "mlp", "width": 8, "depth": 1}, steps=3, folds=2)
    return run(recipe, Splits(data)), DataSummary("0123456789abcdef", profile(data), None)


@pytest.fixture
def write(finished: tuple[Outcome, DataSummary]) -> Write:
    return lambda folder, **more: write_run(folder, *finished, **more)


def test_a_run_is_whole_readable_by_all_and_leaves_nothing_beside_it(write: Write, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "parents" / "run"
    write(folder)
    assert visible(folder) == ALL
    assert list(folder.parent.iterdir()) == [folder]
    usual = tmp_path / "usual"
    usual.mkdir()
    assert folder.stat().st_mode == (folder / "model").stat().st_mode == usual.stat().st_mode
    found = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert found["model"] == str(folder / "model")
    assert found["report"] == str(folder / "report.html")
    assert found["seconds"] >= 0
    assert found["verdict"]
    assert json.loads((folder / "data.json").read_text(encoding="utf-8"))["fingerprint"] == "0123456789abcdef"
    assert predict.load(folder).classes == ("n", "y")


def raising(*arguments: object, **named: object) -> None:
    raise IndexError("index 0 is out of bounds")


@pytest.mark.parametrize(
    ("part", "absent"),
    [
        ("write_report", "report.html"),
        ("write_scored_table", "test_predictions.csv"),
        ("scored_rows.write", "test_rows.safetensors"),
        ("verdict", None),
        ("first_screen", None),
    ],
)
def test_model_and_scores_survive_what_cannot_be_written(
    part: str, absent: str | None, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{run_folder.__name__}.{part}", raising)
    outcome = write(tmp_path / "run")
    result = json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))
    assert predict.load(tmp_path / "run").classes == ("n", "y")
    assert result["test"]["metrics"]["balanced_accuracy"]
    if absent is not None:
        assert absent not in visible(tmp_path / "run")
        assert any(absent in note and "IndexError" in note for note in result["notes"])
    assert outcome.report == (None if absent == "report.html" else tmp_path / "run" / "report.html")
    assert result["report"] == ("" if absent == "report.html" else str(tmp_path / "run" / "report.html"))


def test_the_model_is_in_place_before_anything_is_drawn(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill while the page is made, here an error that is no `Exception`, loses neither model nor scores."""

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_folder, "write_report", killed)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "run")
    assert visible(tmp_path / "run") == ["data.json", "model", "recipe.toml", "result.json"]
    assert predict.load(tmp_path / "run").classes == ("n", "y")


def test_a_failure_in_the_middle_leaves_the_earlier_run_and_nothing_else(
    write: Write, finished: tuple[Outcome, DataSummary], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    write(folder)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if ".rarebird" not in str(path)}

    def broken(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Model, "save", broken)
    for place in (folder, tmp_path / "other" / "deep"):
        with pytest.raises(OSError, match=f"No space is left to write .*{place.name}"):
            write(place, force=True)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if ".rarebird" not in str(path)} == before
    assert list(tmp_path.iterdir()) == [folder]


def test_an_earlier_run_is_replaced_only_by_force_and_its_surplus_goes(write: Write, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    write(folder)
    first = (folder / "result.json").stat().st_ino
    with pytest.raises(DataError, match=r"holds the result of an earlier command .*--force"):
        write(folder)
    (folder / "test_predictions.csv").write_text("old")
    write(folder, force=True)
    assert (folder / "result.json").stat().st_ino != first
    assert (folder / "test_predictions.csv").read_text() != "old"
    assert visible(folder) == ALL


def test_what_users_put_into_a_run_stays(write: Write, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    write(folder)
    mine = [folder / "mydata.csv", folder / "notes" / "read me.txt", folder / "model" / "notes.txt"]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    write(folder, force=True)
    assert [path.read_text() for path in mine] == ["mine"] * 3
    assert visible(folder) == sorted([*ALL, "mydata.csv", "notes"])
    assert predict.load(folder).classes == ("n", "y")


def test_a_model_replaces_a_model_and_nothing_else(finished: tuple[Outcome, DataSummary], tmp_path: Path) -> None:
    model: Model = finished[0].model
    folder = tmp_path / "model"
    model.save(folder)
    model.save(folder)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for other in ("home", "file"):
        with pytest.raises(DataError, match="is no rarebird model"):
            model.save(tmp_path / other)
    assert (tmp_path / "home" / "letter.txt").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "home", "model"]

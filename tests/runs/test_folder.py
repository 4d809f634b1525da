"""The run's folder is whole or not there; nothing is replaced but an earlier run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rarebird.core.atomic_files import whole_file, whole_folder
from rarebird.core.checks import DataError
from rarebird.core.clock import Clock
from rarebird.data.dataset import Dataset, Frame, Splits
from rarebird.experiment.run import Outcome, run
from rarebird.model.model import Model
from rarebird.profile.profile import profile
from rarebird.recipe.recipe import Recipe
from rarebird.runs import folder as run_folder
from rarebird.runs import predict
from rarebird.runs.request import DataSummary

Write = Callable[[Path], Outcome]


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
    return lambda folder: run_folder.write(folder, *finished, Clock())


def test_a_run_is_whole_readable_by_all_and_leaves_nothing_beside_it(write: Write, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "parents" / "run"
    run_folder.check_free(folder)
    write(folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        "data.json",
        "held_out_predictions.csv",
        "model",
        "recipe.toml",
        "report.html",
        "result.json",
        "test_predictions.csv",
    ]
    assert list(folder.parent.iterdir()) == [folder]
    usual = tmp_path / "usual"
    usual.mkdir()
    assert folder.stat().st_mode == usual.stat().st_mode
    found = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert found["model"] == str(folder / "model")
    assert found["seconds"] >= 0
    assert json.loads((folder / "data.json").read_text(encoding="utf-8"))["fingerprint"] == "0123456789abcdef"
    assert predict.load(folder).classes == ("n", "y")


def test_a_relative_folder_and_a_link_are_followed(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to("disk")
    for folder in (Path("run"), Path("link"), Path("link")):
        run_folder.check_free(folder)
        write(folder)
        assert (folder / "result.json").is_file()
    assert (tmp_path / "link").is_symlink()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("place", [".", "..", "sub/.."])
def test_the_working_folder_is_not_replaced(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="holds the working folder"):
        run_folder.check_free(Path(place))


def test_a_folder_that_merely_holds_a_result_is_not_a_run(tmp_path: Path) -> None:
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "result.json").write_text("{}")
    with pytest.raises(DataError, match="not a run of rarebird"):
        run_folder.check_free(folder)


@pytest.mark.parametrize("place", ["file", "file/run", "file/deep/run"])
def test_a_file_in_the_way_is_seen_before_the_run(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DataError, match="is a file"):
        run_folder.check_free(tmp_path / place)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_that_cannot_be_written_is_seen_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "sealed").mkdir(mode=0o500)
    with pytest.raises(DataError, match="Nothing can be written"):
        run_folder.check_free(tmp_path / "sealed" / "deep" / "run")


def test_a_failure_in_the_middle_leaves_the_earlier_run_and_nothing_else(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    write(folder)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}

    def broken(*arguments: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(run_folder, "write_report", broken)
    for place in (folder, tmp_path / "other"):
        with pytest.raises(OSError, match="no space left"):
            write(place)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert list(tmp_path.iterdir()) == [folder]


def test_what_came_to_stand_there_during_the_run_is_kept(write: Write, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run_folder.check_free(folder)
    folder.mkdir()
    (folder / "thesis.tex").write_text("mine")
    with pytest.raises(DataError, match="not a run"):
        write(folder)
    assert [path.name for path in folder.iterdir()] == ["thesis.tex"]
    assert list(tmp_path.iterdir()) == [folder]


def test_a_second_run_replaces_the_first(write: Write, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    write(folder)
    first = (folder / "result.json").stat().st_ino
    run_folder.check_free(folder)
    write(folder)
    assert (folder / "result.json").stat().st_ino != first
    assert list(tmp_path.iterdir()) == [folder]


def test_runs_at_once_into_one_folder_give_one_whole_run(
    write: Write, finished: tuple[Outcome, DataSummary], tmp_path: Path
) -> None:
    """The second run is finished while the first is being written."""
    folder = tmp_path / "run"
    with whole_folder(folder) as building:
        (building / "marker").write_text("the outer one is last")
        write(folder)
    assert [path.name for path in folder.iterdir()] == ["marker"]
    assert list(tmp_path.iterdir()) == [folder]


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


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")

    def fail() -> None:
        with whole_file(path) as building:
            building.write_text("ne")
            raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        fail()
    assert path.read_text() == "old"
    with whole_file(path) as building:
        building.write_text("new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]

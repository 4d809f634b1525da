"""`--unlabeled` as a user types it: fit alone and as a search, its replay and resume, compare and tune."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from rarebird.automl import command
from rarebird.core.clock import Clock
from rarebird.recipe.recipe import Recipe
from rarebird.runs.request import Request
from rarebird.training.pretraining import Pretraining
from tests.automl.test_command import few  # noqa: F401  (a fixture)
from tests.cli.test_external_rows import write
from tests.command_line import Done, rarebird

pytestmark = pytest.mark.xdist_group("unlabeled rows")
SHORT = ["--set", "transfer=self_supervised", "--set", "transfer.epochs=2"]
FAST = [*SHORT, "--steps", "10", "--set", "folds=2", "--threads", "1", "--quiet"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("unlabeled")
    found = {name: write(folder / f"{name}.csv", 120, seed) for seed, name in enumerate(("own", "test", "pool"))}
    frame = pd.concat([pd.read_csv(found["pool"]), pd.read_csv(found["test"]).head(3)])
    frame.drop(columns="target").to_csv(found["pool"], index=False)
    found["other"] = write(folder / "other.csv", 120, 7)
    return found


def test_a_network_learns_from_unlabeled_rows_first_and_the_recorded_recipe_repeats_the_run(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = [files["own"], "--test", files["test"], "--unlabeled", files["pool"]]
    done = rarebird(capsys, monkeypatch, "fit", *data, "--out", tmp_path / "run", *FAST)
    assert done.code == 0, done.err
    assert "Of the 123 rows of pool, 3 copy a validation or test row; these are left out of the pool." in done.out
    assert "The network first learned from 120 rows of pool, without labels (masked, " in done.out
    assert "first learned from 120 rows" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    recipe = tmp_path / "run" / "recipe.toml"
    assert "fingerprint" in recipe.read_text(encoding="utf-8")
    again = rarebird(capsys, monkeypatch, "fit", *data, "--recipe", recipe, "--out", tmp_path / "again", "--quiet")
    assert again.code == 0, again.err
    weights = [(tmp_path / run / "model" / "weights.safetensors").read_bytes() for run in ("run", "again")]
    assert weights[0] == weights[1]
    started = json.loads((tmp_path / "run" / "model" / "model.json").read_text())["members"][0]["started"]
    assert (started["objective"], started["rows"]) == ("masked", 120)
    alone = ["fit", files["own"], "--recipe", recipe, "--out", tmp_path / "alone", "--quiet"]
    refused = rarebird(capsys, monkeypatch, *alone)
    assert refused.code == 2
    assert "give them with --unlabeled" in refused.err


def test_an_unlabeled_file_that_does_not_fit_is_one_sentence(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    strange = tmp_path / "strange.csv"
    pd.DataFrame({"height": range(20), "depth": range(20)}).to_csv(strange, index=False)
    given = ["fit", files["own"], "--unlabeled", strange, "--out", tmp_path / "run", *FAST]
    done = rarebird(capsys, monkeypatch, *given)
    assert done.code == 2
    assert "strange has none of the columns of own" in done.err
    assert "Traceback" not in done.err
    same = ["fit", files["own"], "--unlabeled", files["own"], "--out", tmp_path / "same", *FAST]
    done = rarebird(capsys, monkeypatch, *same)
    assert done.code == 2
    assert "Every row of own copies one of own; give others with --unlabeled." in done.err


def test_compare_judges_learning_without_labels_as_a_remedy(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = ["--steps", "5", "--folds", "2", "--repeats", "1", "--quiet", "--threads", "1", "--json"]
    given = ["compare", files["own"], "--remedies", "self_supervised", "--unlabeled", files["pool"], *small]
    monkeypatch.setattr(Pretraining, "_asked", lambda self, transfer: 3)
    learned = []
    run = Pretraining.run
    monkeypatch.setattr(Pretraining, "run", lambda self, *one: learned.append(self.rows.pool) or run(self, *one))
    done = rarebird(capsys, monkeypatch, *given, "--out", tmp_path / "compare")
    assert done.code == 0, done.err
    assert list(json.loads(done.out)["remedies"]) == ["transfer=self_supervised"]
    assert [len(pool) for pool in learned] == [123, 123], "the test rows are no rows of this command"


def test_tune_searches_with_both_and_resumes_with_the_same_rows_alone(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pretraining, "_asked", lambda self, transfer: 3)
    ranges = ["--set", "network={name=mlp,width=16,depth=1,dropout={low=0.0,high=0.5}}", "--set", "steps=8"]
    rows = {"external": ["--external", files["other"]], "unlabeled": ["--unlabeled", files["pool"]]}
    common = [*ranges, "--folds", "2", "--strategy", "random", "--quiet", "--json", "--out", tmp_path / "run"]

    def tune(*more: object, without: str = "") -> Done:
        given = [part for name, parts in rows.items() if name != without for part in parts]
        return rarebird(capsys, monkeypatch, "tune", files["own"], "--test", files["test"], *given, *common, *more)

    done = tune("--trials", 2)
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["external"]["used"] is True
    recipe = Recipe.read(tmp_path / "run" / "recipe.toml")
    assert recipe.transfer is not None
    assert recipe.transfer.settings()["fingerprint"]
    assert recipe.external is not None
    assert "The network first learned from 120 rows of pool" in " ".join(found["notes"])
    for name, what in (("external", "rows of other sources"), ("unlabeled", "unlabeled rows")):
        other = tune("--trials", 3, "--resume", without=name)
        assert other.code == 2
        assert f"made with another choice of {what}" in other.err
    resumed = tune("--trials", 3, "--resume")
    assert resumed.code == 0, resumed.err
    assert json.loads(resumed.out)["search"]["trials"] == 3


def test_a_search_tries_the_network_also_as_it_learns_from_unlabeled_rows_first(
    few: None,  # noqa: F811
    files: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Pretraining, "_asked", lambda self, transfer: 3)
    learned = []
    run = Pretraining.run
    monkeypatch.setattr(Pretraining, "run", lambda self, *one: learned.append(len(self.rows.pool)) or run(self, *one))
    request = Request(files["own"], tmp_path / "run", test=files["test"], settings=("folds=2", "threads=1"))
    outcome = command.fit(replace(request, unlabeled=files["pool"]), Clock())
    assert "mlp, unlabeled rows first" in [row.name for row in outcome.result.tried]
    assert learned
    assert set(learned) == {120}

"""Runs in a log of events, TensorBoard and MLflow, from the command line: what is recorded, what `mlflow models serve`
answers, and that whoever watches ends no run."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import rarebird as rb
from rarebird.cli import terminal
from rarebird.cli.watching import guarded
from rarebird.core import events
from rarebird.core.checks import DataError
from rarebird.tracking import mlflow_run, pyfunc
from rarebird.tracking.json_log import JsonLog
from rarebird.tracking.tracker import tracker
from tests.command_line import rarebird

# The libraries warn of their own parts.
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.xdist_group("tracking")]
SMALL = ("--set", "folds=2", "--set", "network.width=8", "--set", "network.depth=1")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table of which a third is rare."""
    folder = tmp_path_factory.mktemp("watched")
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3 == 0
    table = pd.DataFrame({"a": rng.normal(2 * y), "b": rng.normal(size=60), "c": np.where(y, "u", "v")})
    table.assign(target=np.where(y, "ill", "well")).to_csv(folder / "table.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def tuned(home: Path) -> dict[str, Any]:
    """The events and the MLflow run of a `tune` of two trials."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        from rarebird.cli import commands

        options = ["--trials", "2", "--folds", "2", "--set", "steps=4", *SMALL[2:], "--quiet"]
        watchers = ["--log-json", "logs/events.jsonl", "--track", "mlflow"]
        commands.run(["tune", "table.csv", "--out", "runs/tuned", *options, *watchers])
    lines = (home / "logs" / "events.jsonl").read_text(encoding="utf-8").splitlines()
    client = mlflow_run.client_of(str(home / "runs" / "mlflow"))
    experiment = client.get_experiment_by_name("rarebird").experiment_id
    return {"events": [json.loads(line) for line in lines], "client": client, "runs": client.search_runs([experiment])}


def test_the_log_has_an_event_a_line_from_start_to_result(tuned: dict[str, Any]) -> None:
    found = tuned["events"]
    kinds = [event["event"] for event in found]
    assert kinds[0] == "started"
    assert kinds[-1] == "finished"
    assert found[0]["command"] == "tune"
    assert kinds.count("trial") == 2
    assert {"progress", "best"} <= set(kinds)
    trials = [event for event in found if event["event"] == "trial"]
    best = [event for event in found if event["event"] == "best"][-1]
    assert best["value"] == max(trial["value"] for trial in trials)
    assert all(trial["metric"] == "balanced_accuracy" and trial["settings"] for trial in trials)
    assert all(trial["low"] is None or trial["low"] <= trial["value"] <= trial["high"] for trial in trials)
    assert found[-1]["metrics"]["balanced_accuracy"]["low"] is not None
    assert sorted(event["time"] for event in found) == [event["time"] for event in found]


def test_mlflow_has_the_run_its_trials_figures_and_report(tuned: dict[str, Any], home: Path) -> None:
    client, runs = tuned["client"], tuned["runs"]
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    trials = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert len(trials) == 2
    assert parent.info.status == "FINISHED"
    assert parent.info.run_name == "tuned"
    result = json.loads((home / "runs" / "tuned" / "result.json").read_text(encoding="utf-8"))
    expected = result["test"]["metrics"]["balanced_accuracy"]
    assert parent.data.metrics["test/balanced_accuracy"] == pytest.approx(expected["value"])
    assert parent.data.metrics["test/balanced_accuracy_low"] == pytest.approx(expected["low"])
    assert "test/recall/ill" in parent.data.metrics
    assert all("value" in trial.data.metrics and trial.data.params for trial in trials)
    files = {file.path for file in client.list_artifacts(parent.info.run_id)}
    assert files == {"model", "figures", "recipe.toml", "report.html", "result.json"}
    figures = {file.path for file in client.list_artifacts(parent.info.run_id, "figures")}
    assert figures == {"figures/confusion.png", "figures/recall.png"}


def test_the_tracked_model_answers_as_mlflow_serves_it(tuned: dict[str, Any], home: Path) -> None:
    import mlflow
    from mlflow.pyfunc import scoring_server

    (parent,) = [run for run in tuned["runs"] if "mlflow.parentRunId" not in run.data.tags]
    mlflow.set_tracking_uri(f"sqlite:///{home}/runs/mlflow/mlflow.db")
    served = mlflow.pyfunc.load_model(f"runs:/{parent.info.run_id}/model")
    model, rows = rb.load(home / "runs" / "tuned"), pd.read_csv(home / "table.csv").drop(columns="target").head(5)
    found = served.predict(rows)
    assert list(found.columns) == ["label", "probability_ill", "probability_well"]
    assert list(found.label) == list(model.predict(rows))
    np.testing.assert_allclose(found.iloc[:, 1:], model.predict_proba(rows), rtol=1e-6)
    asked = json.dumps({"dataframe_split": rows.to_dict(orient="split")})
    answer = scoring_server.invocations(asked, "application/json", served, served.metadata.get_input_schema())
    assert answer.status == 200
    predicted = json.loads(answer.response)["predictions"]
    assert [row["label"] for row in predicted] == list(found.label)
    folder = Path(mlflow.artifacts.download_artifacts(f"runs:/{parent.info.run_id}/model"))
    assert not [path for path in folder.rglob("*") if path.suffix in (".pkl", ".pickle", ".pt", ".bin")]


def test_series_are_served_as_arrays(tmp_path: Path) -> None:
    import mlflow

    series = np.random.default_rng(0).normal(size=(24, 2, 12))
    data = rb.Splits(rb.from_arrays(series, np.arange(24) % 2))
    recipe = rb.Recipe(kind="series", network={"name": "cnn", "width": 4}, steps=2, folds=2)
    model = rb.run(recipe, data, test_share=0).model
    model.save(tmp_path / "saved")
    served = mlflow.pyfunc.load_model(str(pyfunc.save(tmp_path / "saved", tmp_path / "mlflow")))
    np.testing.assert_array_equal(served.predict(series).label, model.predict(series))


def test_tensorboard_has_curves_figures_and_the_recipe(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.chdir(home)
    options = ("--steps", "4", *SMALL, "--track", "tensorboard", "--track-to", "boards")
    done = rarebird(capsys, monkeypatch, "fit", "table.csv", "--out", "runs/fitted", *options)
    assert done.code == 0, done.err
    board = EventAccumulator(str(home / "boards" / "fitted"), size_guidance={"images": 0}).Reload()
    tags = board.Tags()
    assert {"test/balanced_accuracy", "test/recall/ill", "network 0/train_loss"} <= set(tags["scalars"])
    assert set(tags["images"]) == {"figures/confusion", "figures/recall"}
    text = board.Tensors("run/recipe/text_summary")[0].tensor_proto.string_val[0].decode()
    assert 'kind = "table"' in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--track", "mlflo"), "did you mean 'mlflow'?"),
        (("--track", "tensorboard", "--track-to", "http://here"), "give a folder"),
        (("--log-json", "table.csv/log"), "cannot be written"),
    ],
)
def test_a_watcher_that_cannot_be_used_is_refused_before_the_work(
    options: tuple[str, ...],
    message: str,
    home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(home)
    done = rarebird(capsys, monkeypatch, "fit", "table.csv", "--out", "never", "--steps", "2", *options)
    assert done.code == 2
    assert message in done.err
    assert not (home / "never").exists()


def test_a_run_that_fails_says_why_in_the_log(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    done = rarebird(capsys, monkeypatch, "fit", "absent.csv", "--steps", "2", "--log-json", "failed.jsonl")
    assert done.code == 2
    last = json.loads((home / "failed.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    assert last["event"] == "failed"
    assert "absent.csv" in last["why"]


def test_a_watcher_that_fails_ends_no_run(capsys: pytest.CaptureFixture[str]) -> None:
    told = []

    def fails(kind: str, values: dict[str, Any]) -> None:
        told.append(kind)
        raise ConnectionError("the server is gone")

    with events.listening(guarded(fails, "--track mlflow")):
        events.emit("trial", name="one")
        events.emit("trial", name="two")
    assert told == ["trial"]
    said = capsys.readouterr().err
    assert said.count("--track mlflow records nothing more of this run, which goes on: the server is gone") == 1


def test_a_missing_library_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"rarebird\[tracking\]"):
        tracker("mlflow", None, tmp_path)


def test_progress_without_news_is_written_rarely(tmp_path: Path) -> None:
    with JsonLog(tmp_path / "log.jsonl") as log:
        for share in np.linspace(0, 1, 50):
            log("progress", {"share": share, "what": "training"})
        log("progress", {"share": 1.0, "what": "scoring"})
    lines = (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 50
    assert json.loads(lines[-1])["what"] == "scoring"


def test_the_display_names_the_best_with_its_interval() -> None:
    values = {"name": "linear", "metric": "held-out loss", "value": 0.31415, "low": 0.28, "high": 0.35}
    assert terminal.best_so_far(values) == "best so far: linear, held-out loss 0.314 (0.28 to 0.35)"
    assert terminal.best_so_far(values | {"low": float("nan")}) == "best so far: linear, held-out loss 0.314"


def test_a_narrow_terminal_shows_the_bar_the_time_left_and_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    with terminal.progress_bar(quiet=False) as progress:
        events.emit("best", name="linear", metric="held-out loss", value=0.31415, low=0.28, high=0.35)
        assert not progress(0.5, "mlp: training fold 1 of 2")
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue()).replace("\r", "\n").splitlines()
    assert any("training fold 1 of 2" in line and "50%" in line and ":" in line.split("50%")[1] for line in lines)
    assert "best so far: linear, held-out loss 0.314 (0.28 to 0.35)" in [line.strip() for line in lines]

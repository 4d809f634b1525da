"""`rarebird tune` from the command line: the best trial's recipe is run and scored on the test rows, and a killed
search can be resumed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rarebird.core.checks import DataError
from rarebird.core.clock import Clock
from rarebird.readers.options import ReadOptions
from rarebird.recipe.recipe import Recipe
from rarebird.runs.request import Request, read_data, summarize
from rarebird.tuning import command
from rarebird.tuning.command import TuningPlan, prepare
from rarebird.tuning.storage import DATABASE
from tests.command_line import rarebird

RECIPE = """
kind = "table"
steps = 30
batch_size = 32
calibration = ["prior_correction", "temperature"]
network = {name = "mlp", width = 16, depth = 1, dropout = {low = 0.0, high = 0.5}}
optimizer = {name = "adamw", learning_rate = {low = 1e-4, high = 3e-2, log = true}}
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    y = (rng.random(200) < 0.3).astype(int)
    frame = pd.DataFrame({"a": rng.normal(1.5 * y), "b": rng.normal(size=200), "target": np.where(y, "yes", "no")})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "r.toml").write_text(RECIPE, encoding="utf-8")
    return tmp_path / "rows.csv"


def arguments(table: Path, out: str, *more: object) -> list[object]:
    return [
        "tune",
        table,
        "--recipe",
        table.with_name("r.toml"),
        "--out",
        table.with_name(out),
        "--folds",
        3,
        "--json",
        *more,
    ]


def test_the_best_trials_recipe_is_run_and_written(table: Path, capsys: Any, monkeypatch: Any) -> None:
    done = rarebird(capsys, monkeypatch, *arguments(table, "run", "--trials", 4, "--strategy", "random"))
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["search"]["trials"] == 4
    run = table.with_name("run")
    assert {path.name for path in run.iterdir()} >= {DATABASE, "model", "report.html", "recipe.toml", "result.json"}
    written = Recipe.read(run / "recipe.toml")
    assert written.optimizer.learning_rate == pytest.approx(found["search"]["values"]["optimizer.learning_rate"])
    assert found["n_test"] == 40
    assert found["metrics"]["balanced_accuracy"]["value"] > 0.5
    again = rarebird(capsys, monkeypatch, *arguments(table, "run", "--trials", 4))
    assert again.code == 2
    assert "--resume" in again.err


def test_a_small_grid_is_tried_completely_and_its_size_is_told(table: Path, capsys: Any, monkeypatch: Any) -> None:
    settings = [
        "--set",
        "optimizer={name=adamw,learning_rate={choices=[0.001,0.01]}}",
        "--set",
        "network={name=mlp,width=8,depth={choices=[1,2]}}",
    ]
    done = rarebird(capsys, monkeypatch, *arguments(table, "run", "--trials", 9, *settings))
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["search"]["strategy"].startswith("grid: the space has 4 recipes")
    assert found["search"]["trials"] == 4


@pytest.mark.parametrize("metric", ["log_loss", "f1:yes"])
def test_any_metric_can_be_optimized(metric: str, table: Path, capsys: Any, monkeypatch: Any) -> None:
    done = rarebird(
        capsys, monkeypatch, *arguments(table, "run", "--trials", 2, "--strategy", "tpe", "--metric", metric)
    )
    assert done.code == 0, done.err
    assert json.loads(done.out)["search"]["metric"] == metric


def test_wrong_options_are_refused_before_a_folder_is_made(table: Path, capsys: Any, monkeypatch: Any) -> None:
    for more, message in (
        (["--strategy", "annealing"], "There is no strategy 'annealing'"),
        (["--set", "network.dropout={low=0.5,high=0.1}"], "low < high"),
        (["--metric", "r2"], "The metric 'r2' does not judge classification; use one of balanced_accuracy"),
        (["--workers", 2, "--cluster", "auto"], "give one of --workers and --cluster"),
        (["--pruner", "medain"], "There is no pruner 'medain'; did you mean 'median'?"),
    ):
        done = rarebird(capsys, monkeypatch, *arguments(table, "run", "--trials", 2, *more))
        assert done.code == 2, more
        assert message in done.err
        assert not table.with_name("run").exists()


def test_a_killed_search_that_is_resumed_ends_like_one_without_interruption(
    table: Path, capsys: Any, monkeypatch: Any
) -> None:
    whole = rarebird(
        capsys, monkeypatch, *arguments(table, "whole", "--trials", 6, "--strategy", "tpe", "--startup", 3)
    )
    assert whole.code == 0, whole.err
    command = [
        sys.executable,
        "-m",
        "rarebird",
        *map(str, arguments(table, "killed", "--trials", 6, "--strategy", "tpe", "--startup", 3)),
    ]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    database = table.with_name("killed") / DATABASE
    end = time.monotonic() + 60
    while time.monotonic() < end and child.poll() is None and not finished(database):
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    left = finished(database)
    assert left
    resumed = rarebird(
        capsys, monkeypatch, *arguments(table, "killed", "--trials", 6, "--strategy", "tpe", "--startup", 3, "--resume")
    )
    assert resumed.code == 0, resumed.err
    assert finished(database)[: len(left)] == left
    one, two = json.loads(whole.out), json.loads(resumed.out)
    assert len(finished(database)) == 6
    assert one["search"]["value"] == two["search"]["value"]
    assert one["search"]["values"] == two["search"]["values"]
    assert one["metrics"] == two["metrics"]


@pytest.mark.xdist_group("heavy")
def test_ctrl_c_ends_all_workers_and_keeps_the_finished_trials(table: Path) -> None:
    more = ["--trials", 500, "--strategy", "random", "--workers", 2, "--pruner", "median"]
    command = [sys.executable, "-m", "rarebird", *map(str, arguments(table, "run", *more))]
    # A suite that runs in the background has SIGINT ignored, which its children would inherit.
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        pipe = subprocess.PIPE
        child = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
    finally:
        signal.signal(signal.SIGINT, usual)
    end = time.monotonic() + 60
    while time.monotonic() < end and child.poll() is None and not finished(table.with_name("run") / DATABASE):
        time.sleep(0.05)
    # To all processes of the group, as a terminal does.
    os.killpg(child.pid, signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    found = json.loads(out)
    assert 1 <= found["search"]["trials"] < 500
    assert len(finished(table.with_name("run") / DATABASE)) == found["search"]["trials"] + found["search"]["pruned"]
    end = time.monotonic() + 20
    while time.monotonic() < end and is_there(child.pid):
        time.sleep(0.05)
    assert not is_there(child.pid)


def test_the_user_is_told_that_a_hold_out_cannot_be_pruned(table: Path, capsys: Any, monkeypatch: Any) -> None:
    done = rarebird(capsys, monkeypatch, *arguments(table, "run", "--trials", 2, "--folds", 0, "--pruner", "halving"))
    assert done.code == 0, done.err
    assert "Nothing is pruned: a hold-out has one part." in json.loads(done.out)["notes"]


def test_given_validation_rows_score_the_trials_and_the_best_recipe(table: Path, capsys: Any, monkeypatch: Any) -> None:
    rng, arrays = np.random.default_rng(1), {}
    for name, n in (("train", 100), ("val", 50), ("test", 40)):
        y = (rng.random(n) < 0.3).astype(np.uint8)
        arrays[f"{name}_images"] = rng.integers(0, 99, (n, 8, 8), dtype=np.uint8) + 120 * y[:, None, None]
        arrays[f"{name}_labels"] = y
    np.savez(table.with_name("split.npz"), **arrays)
    settings = [
        "--set",
        "network={name=cnn,width=8}",
        "--set",
        "optimizer.learning_rate={low=1e-3,high=1e-2}",
        "--set",
        "steps=8",
    ]
    command = [
        "tune",
        table.with_name("split.npz"),
        "--out",
        table.with_name("run"),
        "--trials",
        2,
        "--json",
        *settings,
    ]
    done = rarebird(capsys, monkeypatch, *command)
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert (found["n_train"], found["n_test"]) == (100, 40)
    result = json.loads((table.with_name("run") / "result.json").read_text(encoding="utf-8"))
    assert result["protocol"] == "The 50 given validation rows are the hold-out and never join training."
    assert len(finished(table.with_name("run") / DATABASE)) == 2


def is_there(group: int) -> bool:
    """Whether any process of a group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def finished(database: Path) -> list[float]:
    """Values of the finished trials."""
    import sqlite3

    if not database.is_file():
        return []
    # Not read-only: what a killed process left half-written must be rolled back first.
    connection = sqlite3.connect(f"file:{database}?mode=rw", uri=True)
    try:
        rows = connection.execute("SELECT value FROM trial_values ORDER BY trial_id").fetchall()
    except sqlite3.OperationalError:
        return []
    finally:
        connection.close()
    return [value for (value,) in rows]


def test_the_positive_class_is_settled_from_the_training_rows(table: Path, capsys: Any, monkeypatch: Any) -> None:
    done = rarebird(capsys, monkeypatch, *arguments(table, "run", "--trials", 1, "--positive", "yse"))
    assert done.code == 2
    assert "There is no class 'yse' to take as positive" in done.err
    assert not table.with_name("run").exists()
    request = Request(
        table, table.with_name("run"), recipe=table.with_name("r.toml"), read=ReadOptions(target="target")
    )
    data = read_data(request)
    setup = prepare(request, TuningPlan(), data, summarize(data))
    assert setup.context.positive == "yes"


@pytest.mark.parametrize(
    ("given", "expected"),
    [([], (None, 300.0)), (["--trials", 3], (3, None)), (["--trials", 3, "--budget", "20s"], (3, 20.0))],
)
def test_trials_and_a_budget_hold_together(
    given: list[object], expected: object, table: Path, capsys: Any, monkeypatch: Any
) -> None:
    """Before, a budget beside a number of trials was ignored without a word."""

    def tune(request: object, plan: TuningPlan, clock: Clock, progress: object) -> None:
        raise DataError(str((plan.trials, clock.budget)))

    monkeypatch.setattr(command, "tune", tune)
    assert str(expected) in rarebird(capsys, monkeypatch, *arguments(table, "run", *given)).err

"""Trials on disk: proposals depend on the seed and the place alone, and nothing is lost or repeated when a process
dies."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from rarebird.core.checks import DataError
from rarebird.tuning.space import Space
from rarebird.tuning.storage import DATABASE
from rarebird.tuning.study import STUDY, Study

SPACE = Space.of(
    {
        "kind": "table",
        "network": {"name": "mlp", "dropout": {"low": 0.0, "high": 0.5}},
        "optimizer": {"name": "adamw", "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}},
    }
)
IDENTITY = {"data": "abc", "metric": "accuracy"}


def study(folder: Path, strategy: Any = "tpe", seed: int = 3, **changes: Any) -> Study:
    return Study(
        folder,
        changes.pop("space", SPACE),
        larger_is_better=True,
        strategy=strategy,
        seed=seed,
        startup=4,
        identity={**IDENTITY, **changes},
    )


def quality(values: dict[str, Any]) -> float:
    """A smooth hill with its top at a dropout of .2 and a rate of .001."""
    return -((values["network.dropout"] - 0.2) ** 2) - (np.log10(values["optimizer.learning_rate"]) + 3) ** 2 / 4


def step(one: Study) -> float:
    asked = one.ask()
    value = quality(asked.trial.params)
    asked.tell(value, {"seconds": 0.1})
    return value


@pytest.mark.parametrize("strategy", ["random", "tpe", "gaussian_process"])
def test_a_search_in_two_sittings_is_that_of_one(strategy: str, tmp_path: Path) -> None:
    whole = study(tmp_path / "a", strategy)
    straight = [step(whole) for _ in range(8)]
    parted = [step(study(tmp_path / "b", strategy)) for _ in range(8)]
    assert parted == straight
    assert len(set(straight)) == 8
    assert [step(one) for one in [study(tmp_path / "c", strategy, seed=4)] for _ in range(2)] != straight[:2]


def test_finished_trials_come_back_with_their_recipes(tmp_path: Path) -> None:
    one = study(tmp_path)
    values = [step(one) for _ in range(3)]
    finished = study(tmp_path).finished()
    assert [trial.value for trial in finished] == pytest.approx(values)
    assert [trial.number for trial in finished] == [0, 1, 2]
    assert finished[0].recipe.network.dropout == pytest.approx(finished[0].values["network.dropout"])
    assert finished[0].notes == {"seconds": 0.1}


def test_the_file_is_an_ordinary_optuna_study(tmp_path: Path) -> None:
    step(study(tmp_path))
    loaded = optuna.load_study(study_name=STUDY, storage=f"sqlite:///{tmp_path / DATABASE}")
    assert len(loaded.trials) == 1
    assert set(loaded.best_params) == {"network.dropout", "optimizer.learning_rate"}


def test_a_grid_visits_every_point_once(tmp_path: Path) -> None:
    space = Space.of(
        {"kind": "table", "network": {"name": "mlp"}, "loss": {"choices": ["cross_entropy", "focal", "weighted"]}}
    )
    one = study(tmp_path, "grid", space=space)
    assert one.grid_size == 3
    seen = []
    for _ in range(3):
        asked = one.ask()
        seen.append(type(asked.recipe.loss).name)
        asked.tell(1.0, {})
    assert seen == ["cross_entropy", "focal", "weighted"]


def test_what_a_killed_process_left_is_begun_again_with_the_same_values(tmp_path: Path) -> None:
    whole = study(tmp_path / "a")
    straight = [step(whole) for _ in range(6)]
    code = (
        "from pathlib import Path\nimport sys, time\nfrom tests.tuning.test_study import step, study\n"
        f"one = study(Path({str(tmp_path / 'b')!r}))\nstep(one); step(one); one.ask()\nprint('begun', flush=True)\ntime.sleep(60)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parents[2]
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "begun\n"
    one = study(tmp_path / "b")
    assert one.begun() == 3
    assert one.is_shared()
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert one.begun() == 2
    assert not one.is_shared()
    for _ in range(4):
        step(one)
    assert [trial.value for trial in one.finished()] == straight


def test_a_trial_without_a_value_is_counted_and_never_best(tmp_path: Path) -> None:
    one = study(tmp_path)
    one.ask().fail("it diverged")
    step(one)
    assert one.begun() == 2
    assert len(one.finished()) == 1


def test_trials_of_another_search_are_not_mixed_in(tmp_path: Path) -> None:
    step(study(tmp_path))
    with pytest.raises(DataError, match="made with another metric"):
        study(tmp_path, metric="f1")


def test_two_processes_share_a_search_and_propose_different_things(tmp_path: Path) -> None:
    first, second = study(tmp_path, "random"), study(tmp_path, "random")
    asked = [one.ask() for one in (first, second, first, second)]
    assert len({trial.trial.params["network.dropout"] for trial in asked}) == 4
    for trial in asked:
        trial.tell(1.0, {})
    assert first.begun() == second.begun() == 4


@pytest.mark.parametrize("as_address", [False, True])
def test_a_closed_study_is_one_ordinary_file(as_address: bool, tmp_path: Path) -> None:
    where: Any = f"sqlite:///{tmp_path / DATABASE}" if as_address else tmp_path
    one = study(where)
    step(one)
    assert (tmp_path / f"{DATABASE}-wal").is_file()
    other = study(where)
    step(other)
    other.close()
    # The other one is still at it.
    assert step(one) is not None
    one.close()
    assert [path.name for path in tmp_path.iterdir()] == [DATABASE]
    connection = sqlite3.connect(tmp_path / DATABASE)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()
    assert len(study(where).finished()) == 3

"""Trials on disk: proposals depend on seed and place alone, and a dying process loses and repeats nothing."""

from __future__ import annotations

import os
import signal
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
from tests.tuning.searches import study


def quality(values: dict[str, Any]) -> float:
    """A smooth hill with its top at a dropout of .2 and a rate of .01."""
    return -((values["network.dropout"] - 0.2) ** 2) - (np.log10(values["optimizer.learning_rate"]) + 2) ** 2 / 4


def step(one: Study) -> float:
    """Carry out one trial; its value."""
    opened = one.ask()
    value = quality(opened.trial.params)
    opened.tell(value, {"seconds": 0.1})
    return value


@pytest.mark.parametrize("strategy", ["random", "tpe", "gaussian_process"])
def test_a_search_that_is_reopened_for_each_trial_proposes_the_same(strategy: str, tmp_path: Path) -> None:
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
        opened = one.ask()
        seen.append(type(opened.recipe.loss).name)
        opened.tell(1.0, {})
    assert seen == ["cross_entropy", "focal", "weighted"]


def test_a_trial_that_a_killed_process_left_is_begun_again_with_the_same_values(tmp_path: Path) -> None:
    """A driver that shares the file sees that the other one is alive, and at once that it is dead."""
    whole = study(tmp_path / "a", "tpe")
    straight = [step(whole) for _ in range(6)]
    address = f"sqlite:///{tmp_path / 'b.db'}"
    code = (
        "import sys, time\nfrom tests.tuning.searches import study\n"
        "from tests.tuning.test_study import step\n"
        f"one = study({address!r}, 'tpe')\nstep(one); step(one); one.ask()\n"
        "print('begun', flush=True)\ntime.sleep(60)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parents[2]
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "begun\n"
    one = study(address, "tpe")
    assert one.begun() == 3
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert one.begun() == 2
    for _ in range(4):
        step(one)
    assert [trial.value for trial in one.finished()] == straight
    one.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b.db"]


def test_a_trial_without_a_value_is_counted_and_never_best(tmp_path: Path) -> None:
    one = study(tmp_path)
    one.ask().fail("it diverged")
    step(one)
    assert one.begun() == 2
    assert len(one.finished()) == 1


def test_a_storage_with_trials_of_another_search_is_refused(tmp_path: Path) -> None:
    step(study(tmp_path, data="abc", metric="accuracy"))
    with pytest.raises(DataError, match="made with another metric"):
        study(tmp_path, data="abc", metric="f1")


def test_two_studies_on_one_file_propose_different_recipes(tmp_path: Path) -> None:
    first, second = study(tmp_path, "random"), study(tmp_path, "random")
    opened = [one.ask() for one in (first, second, first, second)]
    assert len({trial.trial.params["network.dropout"] for trial in opened}) == 4
    for trial in opened:
        trial.tell(1.0, {})
    assert first.begun() == second.begun() == 4

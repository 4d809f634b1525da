"""Places: each trial that counts has one, and a trial that a killed search left unfinished is begun again in its
place."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from rarebird.executors.this_process import ThisProcess
from rarebird.tuning.resumable import PLACE, places
from rarebird.tuning.trial_loop import TrialLoop
from tests.tuning.searches import recorded, study
from tests.tuning.trial_works import slow


def frozen(number: int, state: TrialState = TrialState.RUNNING, **attributes: Any) -> optuna.trial.FrozenTrial:
    trial = optuna.trial.create_trial(state=TrialState.RUNNING, user_attrs=attributes)
    trial.number, trial.state = number, state
    return trial


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        ([frozen(0), frozen(1), frozen(2)], {0: 0, 1: 1, 2: 2}),
        # A trial that died leaves its place to the first trial without one.
        (
            [frozen(0, place=0), frozen(1, TrialState.FAIL, place=1), frozen(2, place=2), frozen(3), frozen(4)],
            {0: 0, 2: 2, 3: 1, 4: 3},
        ),
        # A trial that failed for a reason keeps its place.
        (
            [frozen(0, place=0), frozen(1, TrialState.FAIL, place=1, reason="it diverged"), frozen(2)],
            {0: 0, 1: 1, 2: 2},
        ),
        # Another process may record a place before a trial with a lower number has one.
        ([frozen(0, place=0), frozen(1), frozen(2, place=2)], {0: 0, 1: 1, 2: 2}),
        ([frozen(0, TrialState.WAITING), frozen(1)], {1: 0}),
    ],
    ids=["in order", "a gap", "failed", "two at once", "waiting"],
)
def test_each_counting_trial_has_a_place_of_its_own(trials: list[Any], expected: dict[int, int]) -> None:
    assert places(trials, lambda name: True) == expected


def test_withdrawn_trials_are_proposed_again_and_none_twice(tmp_path: Path) -> None:
    one = study(tmp_path)
    first = [one.ask() for _ in range(5)]
    for trial in (first[0], first[2], first[3]):
        trial.tell(1.0, {})
    for trial in (first[1], first[4]):
        trial.withdraw()
    again = [study(tmp_path).ask() for _ in range(3)]
    assert [trial.place for trial in again] == [1, 4, 5]
    assert [trial.trial.params for trial in again[:2]] == [first[1].trial.params, first[4].trial.params]
    assert len({str(trial.trial.params) for trial in first + again}) == 6


def test_no_more_trials_are_begun_than_asked_for(tmp_path: Path) -> None:
    one = study(tmp_path)
    assert [one.ask(most=2).place for _ in range(2)] == [0, 1]
    assert one.ask(most=2) is None
    assert one.begun() == 2


def test_two_processes_share_the_trials_of_one_study(tmp_path: Path) -> None:
    """This process and another one, at the same time."""
    address, shared = f"sqlite:///{tmp_path / 'trials.db'}", {"folder": str(tmp_path), "seconds": 0.05}
    code = (
        "import sys\nfrom rarebird.executors.this_process import ThisProcess\n"
        "from rarebird.tuning.trial_loop import TrialLoop\n"
        "from tests.tuning.searches import study\nfrom tests.tuning.trial_works import slow\n"
        f"one = study({address!r})\nprint('ready', flush=True)\nsys.stdin.readline()\n"
        f"TrialLoop(one, ThisProcess(slow, {shared!r}), most=12).run()\none.close()\n"
    )
    root = Path(__file__).resolve().parents[2]
    study(address).close()
    pipe = subprocess.PIPE
    child = subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True, cwd=root)
    assert child.stdout is not None
    assert child.stdin is not None
    assert child.stdout.readline() == "ready\n"
    here = study(address)
    child.stdin.write("go\n")
    child.stdin.flush()
    TrialLoop(here, ThisProcess(slow, shared), most=12).run()
    here.close()
    child.communicate(timeout=60)
    assert child.returncode == 0
    found = recorded(tmp_path)
    assert [place for place, *_ in found] == list(range(12))
    trials = optuna.load_study(study_name="rarebird", storage=address).trials
    assert len({trial.user_attrs["worker"] for trial in trials if PLACE in trial.user_attrs}) == 2
    # One process alone has the same trials.
    alone = study(tmp_path / "alone")
    for _ in range(12):
        trial = alone.ask()
        trial.tell(trial.recipe.optimizer.learning_rate, {})
    assert recorded(tmp_path / "alone") == found

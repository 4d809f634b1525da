"""Places: each is some trial's that counts, and what a killed search left half-done is begun again where it was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from rarebird.tuning.resumable import PLACE, places
from tests.tuning.searches import recorded, study


def frozen(number: int, state: TrialState = TrialState.RUNNING, **attributes: Any) -> optuna.trial.FrozenTrial:
    trial = optuna.trial.create_trial(state=TrialState.RUNNING, user_attrs=attributes)
    trial.number, trial.state = number, state
    return trial


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        ([frozen(0), frozen(1), frozen(2)], {0: 0, 1: 1, 2: 2}),
        # A trial that died leaves its place to the first that has none.
        (
            [frozen(0, place=0), frozen(1, TrialState.FAIL, place=1), frozen(2, place=2), frozen(3), frozen(4)],
            {0: 0, 2: 2, 3: 1, 4: 3},
        ),
        # One that failed for a reason keeps it.
        (
            [frozen(0, place=0), frozen(1, TrialState.FAIL, place=1, reason="it diverged"), frozen(2)],
            {0: 0, 1: 1, 2: 2},
        ),
        # Another process may have said its place before one of a lower number has.
        ([frozen(0, place=0), frozen(1), frozen(2, place=2)], {0: 0, 1: 1, 2: 2}),
        ([frozen(0, TrialState.WAITING), frozen(1)], {1: 0}),
    ],
    ids=["in order", "a gap", "failed", "two at once", "waiting"],
)
def test_each_counting_trial_has_a_place_of_its_own(trials: list[Any], expected: dict[int, int]) -> None:
    assert places(trials) == expected


def test_trials_that_were_under_way_at_the_end_come_again_and_none_twice(tmp_path: Path) -> None:
    one = study(tmp_path)
    asked = [one.ask() for _ in range(5)]
    for trial in (asked[0], asked[2], asked[3]):
        trial.tell(1.0, {})
    for trial in (asked[1], asked[4]):
        trial.withdraw()
    again = [study(tmp_path).ask() for _ in range(3)]
    assert [trial.place for trial in again] == [1, 4, 5]
    assert [trial.trial.params for trial in again[:2]] == [asked[1].trial.params, asked[4].trial.params]
    assert len({str(trial.trial.params) for trial in asked + again}) == 6


def test_no_more_trials_are_begun_than_there_should_be(tmp_path: Path) -> None:
    one = study(tmp_path)
    assert [one.ask(most=2).place for _ in range(2)] == [0, 1]
    assert one.ask(most=2) is None
    assert one.begun() == 2


def test_two_processes_on_one_study_share_its_trials_out(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'trials.db'}"
    code = (
        "import sys\nfrom rarebird.executors.this_process import ThisProcess\nfrom rarebird.tuning.trial_loop import Driver\n"
        "from tests.executors import works\nfrom tests.tuning.searches import study\n"
        f"shared = {{'folder': {str(tmp_path)!r}, 'seconds': 0.05}}\n"
        f"one = study({address!r})\nprint('ready', flush=True)\nsys.stdin.readline()\n"
        "Driver(one, ThisProcess(works.slow, shared), most=12).run(lambda progress, what: False)\none.close()\n"
    )
    root = Path(__file__).resolve().parents[2]
    study(address).close()
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root
        )
        for _ in range(2)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        child.communicate(timeout=60)
        assert child.returncode == 0
    found = recorded(tmp_path)
    assert [place for place, *_ in found] == list(range(12))
    trials = optuna.load_study(study_name="rarebird", storage=address).trials
    assert len({trial.user_attrs["worker"] for trial in trials if PLACE in trial.user_attrs}) == 2
    # The same trials as of one process.
    alone = study(tmp_path / "alone")
    for _ in range(12):
        trial = alone.ask()
        trial.tell(trial.recipe.optimizer.learning_rate, {})
    assert recorded(tmp_path / "alone") == found

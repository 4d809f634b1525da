"""The driver: the same trials and values wherever they run, each recorded once, whatever is pruned, dies or is
ended."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from rarebird.core.checks import DataError
from rarebird.executors.executor import Closing, Event, Lost
from rarebird.executors.local_processes import LocalProcesses
from rarebird.executors.this_process import ThisProcess
from rarebird.recipe.recipe import Recipe
from rarebird.tuning.storage import DATABASE
from rarebird.tuning.study import STUDY
from rarebird.tuning.trial import Judging, Task, trial
from rarebird.tuning.trial_loop import Driver
from tests.executors import works
from tests.tuning.searches import judging, recorded, study

FACTORS = [1.0, 1.0, 1.0, 1.0, 1.0]


def on(progress: float, what: str) -> bool:
    return False


def drive(
    folder: Path,
    work: Any = works.stepwise,
    shared: Any = FACTORS,
    pruner: str = "none",
    most: int = 12,
    tell: Any = on,
) -> None:
    one = study(folder, pruner=pruner)
    with ThisProcess(work, shared) as executor:
        Driver(one, executor, most, prunes=pruner != "none").run(tell)
    one.close()


def killed_once(shared: tuple[Judging, str], task: Task) -> Generator[Any, None, tuple[float, dict[str, Any]]]:
    """A trial that kills its worker after its first part, the first time that one of a high rate comes so far."""
    running = trial(shared[0], replace(task, reports=True))
    said = next(running)
    if task.recipe.optimizer.learning_rate > 0.01:
        yield from works.deadly(Path(shared[1]), "once")
    yield said
    return (yield from running)


@pytest.mark.xdist_group("heavy")
def test_local_processes_give_the_trials_and_values_of_this_process_though_one_is_killed(tmp_path: Path) -> None:
    with LocalProcesses(killed_once, (judging(), str(tmp_path)), 2) as executor:
        Driver(study(tmp_path / "there"), executor, most=4).run(on)
    assert len((tmp_path / "once").read_text()) >= 2
    drive(tmp_path / "here", trial, judging(), most=4)
    assert recorded(tmp_path / "there") == recorded(tmp_path / "here")
    assert [state for _, state, *_ in recorded(tmp_path / "here")] == ["COMPLETE"] * 4


@pytest.mark.parametrize("pruner", ["median", "halving"])
def test_pruned_trials_are_those_that_are_behind_and_are_recorded_with_what_they_reported(
    pruner: str, tmp_path: Path
) -> None:
    drive(tmp_path, pruner=pruner)
    trials = optuna.load_study(study_name=STUDY, storage=f"sqlite:///{tmp_path / DATABASE}").trials
    pruned = [one for one in trials if one.state.name == "PRUNED"]
    finished = [one for one in trials if one.state.name == "COMPLETE"]
    assert pruned
    assert len(pruned) + len(finished) == 12
    for one in pruned:
        # All parts of a trial have one value here, so that a trial is behind at a part just where it is behind in the
        # end.
        earlier = [other.value for other in finished if other.number < one.number]
        assert one.value < max(earlier)
        assert list(one.intermediate_values.values()) == pytest.approx(
            [one.params["optimizer.learning_rate"]] * len(one.intermediate_values)
        )
        assert max(one.intermediate_values) in (2, 4)
        assert (
            Recipe.from_toml(json.loads(one.user_attrs["notes"])["recipe"]).optimizer.learning_rate
            == one.params["optimizer.learning_rate"]
        )
    assert study(tmp_path).pruned() == len(pruned)
    assert all(len(one.intermediate_values) == 4 for one in finished)


def test_the_median_is_of_five_finished_trials_or_more(tmp_path: Path) -> None:
    drive(tmp_path, pruner="median", most=5)
    assert [state for _, state, *_ in recorded(tmp_path)] == ["COMPLETE"] * 5


@pytest.mark.parametrize("pruner", ["median", "halving"])
def test_a_pruned_search_that_is_ended_and_gone_on_with_ends_like_one_that_was_not(pruner: str, tmp_path: Path) -> None:
    drive(tmp_path / "whole", pruner=pruner)
    # Asked after each thing that is told: ended in the midst of a trial, again and again.
    for ending in (3, 9, 14, 20):
        asked: list[str] = []
        drive(
            tmp_path / "parted",
            pruner=pruner,
            tell=lambda progress, what, e=ending, a=asked: a.append(what) or len(a) > e,
        )
    drive(tmp_path / "parted", pruner=pruner)
    assert recorded(tmp_path / "parted") == recorded(tmp_path / "whole")


def test_a_bad_recipe_is_recorded_and_a_defect_is_raised(tmp_path: Path) -> None:
    drive(tmp_path / "a", refusing, DataError("The recipe diverged."), most=2)
    assert [state for _, state, *_ in recorded(tmp_path / "a")] == ["FAIL", "FAIL"]
    assert study(tmp_path / "a").last_reason() == "The recipe diverged."
    with pytest.raises(ZeroDivisionError):
        drive(tmp_path / "b", refusing, ZeroDivisionError("a defect"), most=2)


def refusing(shared: Exception, task: Task) -> Generator[Any, None, None]:
    raise shared
    yield


class Losing(Closing):
    """An executor whose workers all die."""

    free = 1

    def __init__(self) -> None:
        self.keys: list[int] = []

    def start(self, key: int, item: Any) -> None:
        self.keys.append(key)

    def wait(self, seconds: float) -> Sequence[Event]:
        lost, self.keys = self.keys, []
        return [Lost(key, "its worker died.") for key in lost]

    def drop(self, key: int) -> None:
        raise AssertionError("nothing is under way")


def test_a_trial_that_costs_its_workers_counts_and_says_why(tmp_path: Path) -> None:
    one = study(tmp_path)
    Driver(one, Losing(), most=3).run(lambda progress, what: one.begun() >= 3)
    assert [state for _, state, *_ in recorded(tmp_path)] == ["FAIL"] * 3
    assert one.last_reason() == "The trial could not be carried out: its worker died."


class Stuck(Losing):
    """An executor that never answers."""

    def __init__(self) -> None:
        super().__init__()
        self.dropped: list[int] = []

    @property
    def free(self) -> int:  # type: ignore[override]
        return 2 - len(self.keys)

    def wait(self, seconds: float) -> Sequence[Event]:
        return []

    def drop(self, key: int) -> None:
        self.dropped.append(key)


def test_trials_that_do_not_end_are_given_up_some_time_after_the_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rarebird.tuning import trial_loop

    one, stuck, now = study(tmp_path), Stuck(), [0.0]
    monkeypatch.setattr(trial_loop.time, "monotonic", lambda: now.__setitem__(0, now[0] + 1.0) or now[0])
    Driver(one, stuck, deadline=10.0, longest=20.0).run(on)
    assert stuck.dropped == [0, 1]
    assert one.begun() == 0
    assert 40 <= now[0] <= 50

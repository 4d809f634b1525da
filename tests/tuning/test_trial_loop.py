"""The loop of a search: the same trials and values wherever they run, each recorded once, whether trials are pruned,
workers die or the search is ended."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from rarebird.core.checks import DataError
from rarebird.core.progress import Progress, silent
from rarebird.executors.executor import Closing, Event, WorkerLost
from rarebird.executors.local_processes import LocalProcesses
from rarebird.executors.this_process import ThisProcess
from rarebird.recipe.recipe import Recipe
from rarebird.tuning.storage import DATABASE
from rarebird.tuning.study import STUDY
from rarebird.tuning.trial import TrialContext, TrialTask, trial
from rarebird.tuning.trial_loop import TrialLoop
from tests.executors import works
from tests.tuning.searches import context, recorded, study
from tests.tuning.trial_works import refusing, stepwise

FACTORS = [1.0, 1.0, 1.0, 1.0, 1.0]


def search(
    folder: Path,
    work: Any = stepwise,
    shared: Any = FACTORS,
    pruner: str = "none",
    most: int = 12,
    progress: Progress = silent,
) -> None:
    one = study(folder, pruner=pruner)
    with ThisProcess(work, shared) as executor:
        TrialLoop(one, executor, most, prunes=pruner != "none", progress=progress).run()
    one.close()


def killed_once(shared: tuple[TrialContext, str], task: TrialTask) -> Generator[Any, None, tuple[float, Any]]:
    """A trial; the first one with a high learning rate kills its worker after its first part."""
    running = trial(shared[0], replace(task, reports=True))
    first = next(running)
    if task.recipe.optimizer.learning_rate > 0.01:
        yield from works.deadly(Path(shared[1]), "once")
    yield first
    return (yield from running)


@pytest.mark.xdist_group("heavy")
def test_local_processes_give_the_trials_and_values_of_this_process_even_if_one_is_killed(tmp_path: Path) -> None:
    with LocalProcesses(killed_once, (context(), str(tmp_path)), 2) as executor:
        TrialLoop(study(tmp_path / "there"), executor, most=4).run()
    assert len((tmp_path / "once").read_text()) >= 2
    search(tmp_path / "here", trial, context(), most=4)
    assert recorded(tmp_path / "there") == recorded(tmp_path / "here")
    assert [state for _, state, *_ in recorded(tmp_path / "here")] == ["COMPLETE"] * 4


@pytest.mark.parametrize("pruner", ["median", "halving"])
def test_pruned_trials_are_worse_than_others_and_are_recorded_with_what_they_reported(
    pruner: str, tmp_path: Path
) -> None:
    search(tmp_path, pruner=pruner)
    trials = optuna.load_study(study_name=STUDY, storage=f"sqlite:///{tmp_path / DATABASE}").trials
    pruned = [one for one in trials if one.state.name == "PRUNED"]
    finished = [one for one in trials if one.state.name == "COMPLETE"]
    assert pruned
    assert len(pruned) + len(finished) == 12
    for one in pruned:
        # All parts of a trial have one value here, so a trial that is worse after some parts is worse in the end.
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
    search(tmp_path, pruner="median", most=5)
    assert [state for _, state, *_ in recorded(tmp_path)] == ["COMPLETE"] * 5


@pytest.mark.parametrize("pruner", ["median", "halving"])
def test_a_search_with_pruning_that_is_ended_and_resumed_ends_like_one_without_interruption(
    pruner: str, tmp_path: Path
) -> None:
    search(tmp_path / "whole", pruner=pruner)
    # The search is asked after each event, so it is ended in the middle of a trial, several times.
    for ending in (3, 9, 14, 20):
        calls: list[str] = []
        search(
            tmp_path / "parted",
            pruner=pruner,
            progress=lambda share, what, ending=ending, calls=calls: calls.append(what) or len(calls) > ending,
        )
    search(tmp_path / "parted", pruner=pruner)
    assert recorded(tmp_path / "parted") == recorded(tmp_path / "whole")


def test_progress_counts_the_trials(tmp_path: Path) -> None:
    seen: list[tuple[float, str]] = []
    search(tmp_path, shared=[1.0], most=2, progress=lambda share, what: seen.append((share, what)) or False)
    assert list(dict.fromkeys(seen)) == [(0.0, "trial 1 of 2"), (0.5, "trial 2 of 2"), (1.0, "trial 2 of 2")]


def test_a_bad_recipe_is_recorded_and_a_defect_is_raised(tmp_path: Path) -> None:
    search(tmp_path / "a", refusing, DataError("The recipe diverged."), most=2)
    assert [state for _, state, *_ in recorded(tmp_path / "a")] == ["FAIL", "FAIL"]
    assert study(tmp_path / "a").last_reason() == "The recipe diverged."
    with pytest.raises(ZeroDivisionError):
        search(tmp_path / "b", refusing, ZeroDivisionError("a defect"), most=2)


class Losing(Closing):
    """An executor whose workers all die."""

    free = 1

    def __init__(self) -> None:
        self.keys: list[int] = []

    def start(self, key: int, item: Any) -> None:
        self.keys.append(key)

    def wait(self, seconds: float) -> Sequence[Event]:
        lost, self.keys = self.keys, []
        return [WorkerLost(key, "its worker died.") for key in lost]

    def drop(self, key: int) -> None:
        raise AssertionError("no trial is running")


def test_a_trial_whose_workers_die_counts_and_the_reason_is_recorded(tmp_path: Path) -> None:
    one = study(tmp_path)
    TrialLoop(one, Losing(), most=3, progress=lambda share, what: one.begun() >= 3).run()
    assert [state for _, state, *_ in recorded(tmp_path)] == ["FAIL"] * 3
    assert one.last_reason() == "The trial could not be carried out: its worker died."


class Stuck(Losing):
    """An executor that never has an event."""

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


def test_trials_that_do_not_end_are_dropped_some_time_after_the_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rarebird.tuning import trial_loop

    one, stuck, now = study(tmp_path), Stuck(), [0.0]
    monkeypatch.setattr(trial_loop.time, "monotonic", lambda: now.__setitem__(0, now[0] + 1.0) or now[0])
    TrialLoop(one, stuck, deadline=10.0, longest=20.0).run()
    assert stuck.dropped == [0, 1]
    assert one.begun() == 0
    assert 40 <= now[0] <= 50

"""Trials of a `fit` on disk: each stands there at once, as Optuna's own, with what it was and why it gave no value."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import numpy as np
import optuna
from optuna.trial import TrialState

from rarebird.recipe import Recipe
from rarebird.search.space import Space
from rarebird.search.trial_log import DATABASE, STARTUP, STUDY, TrialLog
from tests.search.made_candidates import candidate, good

SPACE = Space.of(
    {
        "kind": "table",
        "network": {"name": "mlp", "dropout": {"low": 0.0, "high": 0.5}},
        "optimizer": {"name": "adamw", "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}},
        "loss": {"choices": ["cross_entropy", "focal"]},
    }
)


def trials(folder: Path) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name=STUDY, storage=f"sqlite:///{folder / DATABASE}").trials


def test_a_finished_candidate_stands_there_at_once(tmp_path: Path) -> None:
    log = TrialLog(tmp_path / "run", seed=3)
    one = candidate("boosted trees", good(2, 1), seconds=1.23456, reference="boosted_trees")
    log.record(one)
    (trial,) = trials(tmp_path / "run")
    assert trial.state == TrialState.COMPLETE
    assert trial.value == one.loss
    assert trial.params == {}
    assert trial.user_attrs["name"] == "boosted trees"
    assert Recipe.from_toml(trial.user_attrs["recipe"]) == one.team.recipe
    assert json.loads(trial.user_attrs["notes"]) == {"seconds": 1.235, "networks": 0}
    log.record(candidate("mlp", good(3, 2)))
    assert [trial.user_attrs["name"] for trial in trials(tmp_path / "run")] == ["boosted trees", "mlp"]


def test_a_proposal_is_recorded_with_what_was_chosen(tmp_path: Path) -> None:
    log = TrialLog(tmp_path, seed=3)
    recipe, values = log.propose(SPACE)
    assert set(values) == {"network.dropout", "optimizer.learning_rate", "loss"}
    assert recipe.network.dropout == values["network.dropout"]
    assert recipe.optimizer.learning_rate == values["optimizer.learning_rate"]
    assert type(recipe.loss).name == values["loss"]
    (running,) = trials(tmp_path)
    assert running.state == TrialState.RUNNING
    one = candidate("mlp, searched #1", good(2, 1))
    log.record(one)
    (trial,) = trials(tmp_path)
    assert (trial.state, trial.value, trial.params) == (TrialState.COMPLETE, one.loss, values)
    assert trial.user_attrs["name"] == "mlp, searched #1"


def test_a_dropped_proposal_has_failed_for_a_reason(tmp_path: Path) -> None:
    log = TrialLog(tmp_path, seed=3)
    _, values = log.propose(SPACE)
    log.drop("it was surely worse than mlp after 1 of 5 parts")
    (trial,) = trials(tmp_path)
    assert (trial.state, trial.value, trial.params) == (TrialState.FAIL, None, values)
    assert trial.user_attrs["reason"] == "it was surely worse than mlp after 1 of 5 parts"
    # What comes next is a trial of its own.
    log.record(candidate("mlp", good(2, 1)))
    assert [trial.state for trial in trials(tmp_path)] == [TrialState.FAIL, TrialState.COMPLETE]
    assert trials(tmp_path)[1].params == {}


def test_proposals_depend_on_the_seed_and_what_was_recorded_alone(tmp_path: Path) -> None:
    def proposed(folder: str, seed: int, most: int = STARTUP + 2) -> list[dict[str, object]]:
        log, found = TrialLog(tmp_path / folder, seed), []
        log.record(candidate("mlp", good(2, 1)))
        for number in range(most):
            recipe, values = log.propose(SPACE)
            found.append(values)
            if number % 3 == 1:
                log.drop("it left")
            else:
                log.record(candidate(f"#{number}", good(float(recipe.network.dropout), number)))
        return found

    one = proposed("a", 3)
    assert proposed("b", 3) == one
    assert proposed("c", 4, most=2) != one[:2]
    assert len({json.dumps(values) for values in one}) == len(one)


def test_proposals_come_to_what_was_good(tmp_path: Path) -> None:
    log, found = TrialLog(tmp_path, seed=0), []
    for _ in range(24):
        recipe, _ = log.propose(SPACE)
        found.append(abs(float(recipe.network.dropout) - 0.4))
        log.record(candidate("x", good(4 - 8 * found[-1], 1)))
    assert np.mean(found[-8:]) < 0.7 * np.mean(found[:STARTUP])


def test_an_earlier_fit_in_the_folder_is_replaced(tmp_path: Path) -> None:
    TrialLog(tmp_path, seed=3).record(candidate("old", good(2, 1)))
    TrialLog(tmp_path, seed=3).record(candidate("new", good(2, 1)))
    assert [trial.user_attrs["name"] for trial in trials(tmp_path)] == ["new"]


def test_a_process_that_dies_leaves_what_was_recorded(tmp_path: Path) -> None:
    """The file is whole after each record, without anything being closed."""
    log = TrialLog(tmp_path, seed=3)
    for number in range(3):
        log.record(candidate(str(number), good(2, number)))
        with sqlite3.connect(tmp_path / DATABASE) as reading:
            assert reading.execute("select count(*) from trials where state = 'COMPLETE'").fetchone() == (number + 1,)
        reading.close()

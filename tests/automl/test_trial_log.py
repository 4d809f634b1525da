"""Trials of a `fit` on disk: each is written at once as an Optuna trial, with its recipe or the reason for failing."""

from __future__ import annotations

import errno
import json
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import optuna
import pytest
import sqlalchemy.exc
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState

from rarebird.automl import candidate_files
from rarebird.automl.candidate import TOO_LATE, Candidate
from rarebird.automl.portfolio import PortfolioEntry
from rarebird.automl.trial_log import CANDIDATES, DATABASE, STARTUP, STUDY, TrialLog, has_candidates
from rarebird.core.checks import DataError
from rarebird.recipe.recipe import Recipe
from rarebird.tuning.space import Space
from tests.automl.made_candidates import N, candidate, good
from tests.automl.made_runs import rows

SPACE = Space.of(
    {
        "kind": "table",
        "network": {"name": "mlp", "dropout": {"low": 0.0, "high": 0.5}},
        "optimizer": {"name": "adamw", "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}},
        "loss": {"choices": ["cross_entropy", "focal"]},
    }
)


def opened(folder: Path, seed: int = 3, **identity: object) -> TrialLog:
    return TrialLog(folder, seed, rows(N), identity)


def record(log: TrialLog, one: Candidate, **more: object) -> None:
    log.record(PortfolioEntry(one.name, one.models.recipe, **more), one)  # type: ignore[arg-type]


def drop(log: TrialLog, name: str, why: str) -> None:
    log.drop(PortfolioEntry(name, candidate(name, good(2, 1)).models.recipe), why)


def trials(folder: Path) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name=STUDY, storage=f"sqlite:///{folder / DATABASE}").trials


def test_a_finished_candidate_is_stored_at_once(tmp_path: Path) -> None:
    log = opened(tmp_path / "run")
    one = candidate("boosted trees", good(2, 1), seconds=1.23456, reference="boosted_trees")
    record(log, one)
    (trial,) = trials(tmp_path / "run")
    assert trial.state == TrialState.COMPLETE
    assert trial.value == one.loss
    assert trial.params == {}
    assert trial.user_attrs["name"] == "boosted trees"
    assert Recipe.from_toml(trial.user_attrs["recipe"]) == one.models.recipe
    assert json.loads(trial.user_attrs["notes"]) == {"seconds": 1.235, "networks": 0}
    record(log, candidate("mlp", good(3, 2)))
    assert [trial.user_attrs["name"] for trial in trials(tmp_path / "run")] == ["boosted trees", "mlp"]


def test_a_proposal_is_recorded_with_the_chosen_values(tmp_path: Path) -> None:
    log = opened(tmp_path)
    recipe, values = log.propose(SPACE, "mlp, searched #1")
    assert set(values) == {"network.dropout", "optimizer.learning_rate", "loss"}
    assert recipe.network.dropout == values["network.dropout"]
    assert recipe.optimizer.learning_rate == values["optimizer.learning_rate"]
    assert type(recipe.loss).name == values["loss"]
    (running,) = trials(tmp_path)
    assert running.state == TrialState.RUNNING
    one = candidate("mlp, searched #1", good(2, 1))
    record(log, one)
    (trial,) = trials(tmp_path)
    assert (trial.state, trial.value, trial.params) == (TrialState.COMPLETE, one.loss, values)
    assert trial.user_attrs["name"] == "mlp, searched #1"


def test_a_dropped_proposal_has_failed_for_a_reason(tmp_path: Path) -> None:
    log = opened(tmp_path)
    _, values = log.propose(SPACE, "mlp, searched #1")
    drop(log, "mlp, searched #1", "it was surely worse than mlp after 1 of 5 parts")
    (trial,) = trials(tmp_path)
    assert (trial.state, trial.value, trial.params) == (TrialState.FAIL, None, values)
    assert trial.user_attrs["reason"] == "it was surely worse than mlp after 1 of 5 parts"
    # What comes next is a trial of its own.
    record(log, candidate("mlp", good(2, 1)))
    assert [trial.state for trial in trials(tmp_path)] == [TrialState.FAIL, TrialState.COMPLETE]
    assert trials(tmp_path)[1].params == {}


def test_proposals_depend_only_on_the_seed_and_the_recorded_trials(tmp_path: Path) -> None:
    def proposed(folder: str, seed: int, most: int = STARTUP + 2) -> list[dict[str, object]]:
        log, found = opened(tmp_path / folder, seed), []
        record(log, candidate("mlp", good(2, 1)))
        for number in range(most):
            recipe, values = log.propose(SPACE, f"#{number}")
            found.append(values)
            if number % 3 == 1:
                drop(log, f"#{number}", "it left")
            else:
                record(log, candidate(f"#{number}", good(float(recipe.network.dropout), number)))
        return found

    one = proposed("a", 3)
    assert proposed("b", 3) == one
    assert proposed("c", 4, most=2) != one[:2]
    assert len({json.dumps(values) for values in one}) == len(one)


def test_proposals_approach_good_values(tmp_path: Path) -> None:
    log, found = opened(tmp_path, 0), []
    for _ in range(24):
        recipe, _ = log.propose(SPACE, "x")
        found.append(abs(float(recipe.network.dropout) - 0.4))
        record(log, candidate("x", good(4 - 8 * found[-1], 1)))
    assert np.mean(found[-8:]) < 0.7 * np.mean(found[:STARTUP])


def test_several_proposals_are_open_at_once(tmp_path: Path) -> None:
    log = opened(tmp_path)
    values = {name: log.propose(SPACE, name)[1] for name in ("a", "b")}
    record(log, candidate("b", good(2, 1)))
    drop(log, "a", "it left")
    assert {trial.user_attrs["name"]: trial.params for trial in trials(tmp_path)} == values
    assert [trial.state for trial in trials(tmp_path)] == [TrialState.FAIL, TrialState.COMPLETE]


def test_a_search_that_did_not_end_is_gone_on_with(tmp_path: Path) -> None:
    log = opened(tmp_path, data="one")
    kept = candidate("mlp", good(2, 1))
    record(log, kept)
    drop(log, "linear", "it was surely worse than mlp after 1 of 5 parts")
    drop(log, "trees", TOO_LATE)
    _, values = log.propose(SPACE, "mlp, searched #1")
    record(log, candidate("mlp, searched #1", good(3, 1)), settings=values)
    record(log, candidate("short", good(3, 1)), partial=True)
    log.close()
    assert has_candidates(tmp_path)
    again = opened(tmp_path, data="one")
    one, two = again.restored("cpu")
    assert (one.name, one.seconds, one.per_row, one.settings, one.models.recipe) == (
        "mlp",
        1.0,
        0.0,
        {},
        kept.models.recipe,
    )
    np.testing.assert_array_equal(one.predicted, kept.predicted)
    np.testing.assert_array_equal(one.losses, kept.losses)
    assert two.name == "mlp, searched #1"
    # What lacked the time alone is tried again.
    assert again.left() == {"linear": "it was surely worse than mlp after 1 of 5 parts"}
    assert again.proposed() == 1
    again.close()
    with pytest.raises(DataError, match="made with another data"):
        opened(tmp_path, data="two")


def test_trials_that_ran_when_a_process_was_killed_are_begun_again(tmp_path: Path) -> None:
    """Whoever opens a search owns its folder, so that no other process can run them, whatever its number."""
    log = opened(tmp_path)
    record(log, candidate("mlp", good(2, 1)))
    log.propose(SPACE, "x")
    opened(tmp_path).close()
    assert [trial.state for trial in trials(tmp_path)] == [TrialState.COMPLETE, TrialState.FAIL]


@pytest.mark.parametrize("damage", ["candidate.json", "rows.npz", "torn", "everything"])
def test_a_damaged_candidate_is_left_out_and_the_others_are_used(damage: str, tmp_path: Path) -> None:
    log = opened(tmp_path)
    for name in ("one", "two", "three"):
        record(log, candidate(name, good(2, 1)))
    log.close()
    files = tmp_path / CANDIDATES / "1"
    if damage == "everything":
        shutil.rmtree(files)
    elif damage == "torn":
        (files / "rows.npz").write_bytes((files / "rows.npz").read_bytes()[:100])
    else:
        (files / damage).unlink()
    again = opened(tmp_path)
    assert [one.name for one in again.restored("cpu")] == ["one", "three"]
    (note,) = again.notes
    assert note.startswith("The finished trial 'two' cannot be read (")
    assert note.endswith("the search resumed without it.")
    # The others are not disturbed when it is trained again.
    record(again, candidate("two", good(2, 1)))
    again.close()
    assert [one.name for one in opened(tmp_path).restored("cpu")] == ["one", "three", "two"]


def full(*arguments: object, **named: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("part", ["the candidate's files", "the database"])
def test_a_search_goes_on_in_memory_when_the_disk_is_full(
    part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = opened(tmp_path)
    record(log, candidate("one", good(2, 1)))
    proposed, values = log.propose(SPACE, "searched")
    if part == "the database":
        error = sqlalchemy.exc.OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full"))

        def stored(*arguments: object, **named: object) -> None:
            raise StorageInternalError("An exception is raised during the commit.") from error

        for name in ("set_trial_user_attr", "set_trial_state_values", "_create_new_trial"):
            monkeypatch.setattr(type(log._storage), name, stored)
    else:
        monkeypatch.setattr(candidate_files, "save", full)
    record(log, candidate("searched", good(3, 1)), settings=values)
    drop(log, "linear", "it diverged")
    record(log, candidate("three", good(2, 1)))
    again, _ = log.propose(SPACE, "searched #2")
    assert again != proposed
    (note,) = log.notes
    assert note == (
        f"No space is left in {tmp_path}: the search goes on in memory, and what finishes from now on cannot be "
        "resumed."
    )
    # The values that were proposed before are still those of the trial.
    trials = log._study.get_trials()
    assert [trial.params for trial in trials if trial.user_attrs.get("name") == "searched"] == [values]
    assert log.left() == {"linear": "it diverged"}
    monkeypatch.undo()
    log.close()
    assert [one.name for one in opened(tmp_path).restored("cpu")] == ["one"]


def test_other_errors_than_a_full_disk_are_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = opened(tmp_path)

    def failed(*arguments: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(candidate_files, "save", failed)
    with pytest.raises(OSError, match="Input/output"):
        record(log, candidate("one", good(2, 1)))


def test_a_damaged_file_of_trials_is_named(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"no database" * 1000)
    with pytest.raises(DataError, match=r"The trials in .*trials.db cannot be read \(file is not a database\)"):
        opened(tmp_path)


def test_a_process_that_dies_leaves_its_recorded_trials(tmp_path: Path) -> None:
    """The file is whole after each record, without anything being closed."""
    log = opened(tmp_path)
    for number in range(3):
        record(log, candidate(str(number), good(2, number)))
        with sqlite3.connect(tmp_path / DATABASE) as reading:
            assert reading.execute("select count(*) from trials where state = 'COMPLETE'").fetchone() == (number + 1,)
        reading.close()

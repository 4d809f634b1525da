"""A `fit` that is killed is resumed: what had finished is neither lost nor trained again, and its networks are
what they were."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest

from rarebird import readers
from rarebird.automl import candidate_files, command
from rarebird.automl.candidate import losses_among
from rarebird.automl.trial_log import CANDIDATES, DATABASE, NAME, STUDY
from rarebird.core.checks import DataError
from rarebird.core.clock import Clock
from rarebird.evaluation.held_outputs import members_of
from rarebird.experiment.run import Outcome
from rarebird.model.model import load
from rarebird.readers.options import ReadOptions
from rarebird.runs.request import Request, read_recipe_and_data
from tests.automl.made_runs import perceptron, rows, trees
from tests.automl.test_command import few, table  # noqa: F401  (a fixture)
from tests.automl.test_race import enter, race

# A process that searches the portfolio of the tests and kills itself when the second candidate has been recorded.
KILLED = """
import os, signal, sys
from pathlib import Path
from rarebird.runs.request import Request
from rarebird.core.clock import Clock
from rarebird.automl import command, search, trial_log
from tests.automl.test_command import short

search.portfolio = short
search.MOST_REPEATS = 2
record, seen = trial_log.TrialLog.record, []

def recorded(self, entry, candidate):
    record(self, entry, candidate)
    seen.append(entry)
    if len(seen) == 2:
        os.kill(os.getpid(), signal.SIGKILL)

trial_log.TrialLog.record = recorded
command.fit(Request(data=Path(sys.argv[1]), out=Path(sys.argv[2]), settings=("folds=3", "threads=1")), Clock())
"""


def request(folder: Path, out: str = "run", **more: object) -> Request:
    return Request(data=folder / "rows.csv", out=folder / out, settings=("folds=3", "threads=1"), **more)  # type: ignore[arg-type]


def killed(folder: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, table(folder / "rows.csv"), folder / "run"], env=environment, check=False
    )
    assert done.returncode == -signal.SIGKILL


def names(folder: Path) -> list[str]:
    trials = optuna.load_study(study_name=STUDY, storage=f"sqlite:///{folder / DATABASE}").trials
    return [trial.user_attrs[NAME] for trial in trials if trial.state == optuna.trial.TrialState.COMPLETE]


def test_a_killed_search_is_resumed(few: None, tmp_path: Path) -> None:  # noqa: F811
    killed(tmp_path)
    assert names(tmp_path / "run") == ["linear", "trees"]
    with pytest.raises(DataError, match="holds a search that did not end; resume it with --resume"):
        command.fit(request(tmp_path), Clock())
    with pytest.raises(DataError, match="made with another seed"):
        command.fit(request(tmp_path, seed=1), Clock(), resume=True)
    # The same rows in other groups: other rows would be the test than those that the first process kept for it.
    base, same = read_recipe_and_data(request(tmp_path))
    grouped = replace(same, train=replace(same.train, group=np.arange(160) // 4))
    with pytest.raises(DataError, match="made with another grouping"):
        command.search(base, grouped, request(tmp_path), Clock())
    table(tmp_path / "test.csv", seed=1)
    with pytest.raises(DataError, match="made with another choice of test rows"):
        command.fit(request(tmp_path, test=tmp_path / "test.csv"), Clock(), resume=True)
    other = table(tmp_path / "other.csv", seed=2)
    with pytest.raises(DataError, match="made with another choice of rows of other sources"):
        command.fit(request(tmp_path, external=(other,)), Clock(), resume=True)
    with pytest.raises(DataError, match="made with another choice of unlabeled rows"):
        command.fit(request(tmp_path, unlabeled=other), Clock(), resume=True)
    outcome: Outcome = command.fit(request(tmp_path), Clock(), resume=True)
    # Nothing of what had finished was trained again, and what had not was.
    assert names(tmp_path / "run")[:3] == ["linear", "trees", "mlp"]
    assert "The search resumed with 2 finished trials of its folder." in outcome.result.notes
    assert not (tmp_path / "run" / CANDIDATES).exists()
    # Without a clock a search repeats, whether it is interrupted or not.
    whole = command.fit(request(tmp_path, "whole"), Clock())
    data = readers.read(tmp_path / "rows.csv", ReadOptions()).train
    np.testing.assert_array_equal(outcome.model.outputs(data), whole.model.outputs(data))
    assert outcome.recipe == whole.recipe
    np.testing.assert_array_equal(load(tmp_path / "run").outputs(data), whole.model.outputs(data))
    with pytest.raises(DataError, match="holds no search to resume"):
        command.fit(request(tmp_path), Clock(), resume=True)


@pytest.mark.parametrize(
    "recipe", [perceptron(), trees(), trees(reference="extra_trees")], ids=["network", "boosted", "forest"]
)
def test_a_candidate_comes_back_from_disk_as_it_was(recipe: object, tmp_path: Path) -> None:
    one = race()
    found = enter(one, "it", recipe, settings={"loss": "focal"}, role="searched", parent="mlp", is_reference=True)  # type: ignore[arg-type]
    assert found is not None
    candidate_files.save(found, tmp_path / "it", one.context.setup.splits.train)
    back = candidate_files.load(tmp_path / "it", "cpu")
    assert (back.name, back.seconds, back.per_row, back.is_reference, back.settings) == (
        "it",
        found.seconds,
        found.per_row,
        True,
        {"loss": "focal"},
    )
    assert (back.role, back.parent) == ("searched", "mlp")
    assert back.models.recipe == found.models.recipe
    np.testing.assert_array_equal(back.predicted, found.predicted)
    np.testing.assert_array_equal(back.losses, found.losses)
    early = np.isin(np.arange(len(found.losses)), found.models.held_rows[0])
    np.testing.assert_allclose(losses_among(one.context, back, early), losses_among(one.context, found, early))
    assert (losses_among(one.context, back, early)[early] != back.losses[early]).any()
    for mine, its in zip(back.models.held_rows, found.models.held_rows, strict=True):
        np.testing.assert_array_equal(mine, its)
    fresh = rows(30, seed=1)
    for mine, its in zip(members_of(back.models), members_of(found.models), strict=True):
        np.testing.assert_array_equal(mine.logits(fresh, "cpu"), its.logits(fresh, "cpu"))
    for mine, its in zip(back.models.trained, found.models.trained, strict=True):
        assert (mine.history, mine.changes, mine.notes, mine.ended) == (its.history, its.changes, its.notes, its.ended)
        assert mine.prior_factor is not None
        np.testing.assert_array_equal(mine.prior_factor, its.prior_factor)
    candidate_files.release(tmp_path / "it")
    without = candidate_files.load(tmp_path / "it", "cpu")
    assert (without.models.trained, without.per_row, without.loss) == ([], 0.0, found.loss)

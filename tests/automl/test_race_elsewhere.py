"""Candidates in other processes: what comes back is what would have been trained here, and the race treats it the
same."""

from __future__ import annotations

import time

import numpy as np
import pytest

from rarebird.automl.candidate import TrainingContext, TrialSpec, train_candidate_elsewhere
from rarebird.automl.criterion import Criterion
from rarebird.automl.portfolio import PortfolioEntry
from rarebird.automl.race import Race
from rarebird.core.progress import Progress, silent
from rarebird.evaluation.held_outputs import members_of
from rarebird.executors.executor import Event
from rarebird.executors.workers import Workers
from rarebird.experiment.setup import Setup
from tests.automl.made_runs import FOLDS, perceptron, rows, setup, trees

pytestmark = pytest.mark.xdist_group("heavy")


def opened(
    of: Setup,
    workers: int,
    deadline: float = np.inf,
    progress: Progress = silent,
) -> Race:
    criterion = Criterion.of(of.scored_rows, of.splits.train.prior, "balanced_accuracy")
    return Race(TrainingContext(of, criterion, 0, threads=1), deadline, progress, workers=Workers(workers))


def entries() -> list[PortfolioEntry]:
    hopeless = perceptron(optimizer={"name": "sgd", "learning_rate": 1e-9}, steps=1, calibration=[])
    return [
        PortfolioEntry("trees", trees(), is_reference=True),
        PortfolioEntry("mlp", perceptron(), must=True),
        PortfolioEntry("trees", trees(seed=1), stays=True, is_reference=True),
        PortfolioEntry("hopeless", hopeless),
        PortfolioEntry("values", perceptron(loss="mean_squared")),
    ]


def test_two_processes_give_the_same_candidates_as_this_one_and_late_ones_are_abandoned() -> None:
    of = setup()
    with opened(of, 1) as here, opened(of, 2) as there:
        here.run(entries())
        there.run(entries())
        finished = len(there.finished)

        def time_is_over(progress: float, what: str) -> bool:
            if len(there.finished) > finished:
                there.deadline = -np.inf
            return False

        # The same workers: what has finished stays, and what has not is dropped.
        there.progress = time_is_over
        more = PortfolioEntry("more", trees(seed=2), must=True)
        there.run([more, PortfolioEntry("long", perceptron(steps=200_000), must=True)])
    assert [one.name for one in there.finished[finished:]] == ["more"]
    assert not there.ended
    del there.finished[finished:]
    assert {one.name for one in there.finished} == {"trees", "mlp"}
    fresh = rows(30, seed=1)
    for one in here.finished:
        (same,) = [
            two for two in there.finished if (two.name, two.models.recipe.seed) == (one.name, one.models.recipe.seed)
        ]
        np.testing.assert_array_equal(same.predicted, one.predicted)
        assert same.models.recipe == one.models.recipe
        assert same.is_reference == one.is_reference
        for mine, its in zip(members_of(same.models), members_of(one.models), strict=True):
            np.testing.assert_array_equal(mine.logits(fresh, "cpu"), its.logits(fresh, "cpu"))
    assert set(there.left) == {"hopeless", "values"}
    assert "surely worse than" in there.left["hopeless"]
    assert "does not serve classification" in there.left["values"]


def test_an_end_by_the_user_waits_for_the_first_alone() -> None:
    with opened(setup(), 2, progress=lambda share, what: True) as race:
        race.run(
            [PortfolioEntry("trees", trees(), must=True), PortfolioEntry("long", perceptron(steps=200_000), must=True)]
        )
    assert race.ended
    assert [one.name for one in race.finished] == ["trees"]


def test_a_worker_tells_its_losses_after_each_rung_but_the_last() -> None:
    of = setup()
    context = TrainingContext(of, Criterion.of(of.scored_rows, of.splits.train.prior, "balanced_accuracy"), 0)
    told = list(train_candidate_elsewhere(context, TrialSpec("trees", trees())))
    assert [one.parts for one in told] == [(1, FOLDS), (2, FOLDS)]
    assert [int(np.isfinite(one.losses).sum()) for one in told] == [
        len(of.scored_rows) // FOLDS,
        len(of.scored_rows) // 2,
    ]
    assert not list(train_candidate_elsewhere(context, TrialSpec("trees", trees(), yields=False)))


class NoMachine:
    """An executor whose cluster has lost all its machines."""

    free = 0

    def wait(self, seconds: float) -> list[Event]:
        return []

    def close(self) -> None:
        """As an executor has it."""


def test_a_race_that_no_machine_serves_ends_with_its_time() -> None:
    with opened(setup(), 2, deadline=time.monotonic() - 10) as race:
        race._executor.close()
        race._executor = NoMachine()  # type: ignore[assignment]
        assert race.run([PortfolioEntry("trees", trees())]) == []
    assert not race.finished

"""Candidates in other processes: what comes back is what would have been trained here, and the race treats it the
same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from rarebird.automl.candidate import members_of
from rarebird.automl.contest import Contest, Heat, compete_elsewhere
from rarebird.automl.ensemble_selection import Criterion
from rarebird.automl.entry import Entry
from rarebird.automl.race import Race
from rarebird.executors.workers import Workers
from rarebird.experiment.setup import Ground
from tests.automl.made_runs import FOLDS, ground, perceptron, rows, trees

pytestmark = pytest.mark.xdist_group("heavy")


def opened(
    of: Ground,
    workers: int,
    deadline: float = np.inf,
    tell: Callable[[float, str], bool] = lambda progress, what: False,
) -> Race:
    criterion = Criterion.of(of.judged, of.splits.train.prior, "balanced_accuracy")
    return Race(Contest(of, criterion, 0, threads=1), deadline, tell, workers=Workers(workers))


def entries() -> list[Entry]:
    hopeless = perceptron(optimizer={"name": "sgd", "learning_rate": 1e-9}, steps=1, calibration=[])
    return [
        Entry("trees", trees(), is_reference=True),
        Entry("mlp", perceptron(), must=True),
        Entry("trees", trees(seed=1), stays=True, is_reference=True),
        Entry("hopeless", hopeless),
        Entry("values", perceptron(loss="mean_squared")),
    ]


def test_two_processes_give_what_this_one_gives() -> None:
    of = ground()
    with opened(of, 1) as here, opened(of, 2) as there:
        here.run(entries())
        there.run(entries())
    assert {one.name for one in there.finished} == {"trees", "mlp"}
    fresh = rows(30, seed=1)
    for one in here.finished:
        (same,) = [
            two for two in there.finished if (two.name, two.team.recipe.seed) == (one.name, one.team.recipe.seed)
        ]
        np.testing.assert_array_equal(same.predicted, one.predicted)
        assert same.team.recipe == one.team.recipe
        assert same.is_reference == one.is_reference
        for mine, its in zip(members_of(same.team), members_of(one.team), strict=True):
            np.testing.assert_array_equal(mine.logits(fresh, "cpu"), its.logits(fresh, "cpu"))
    assert set(there.left) == {"hopeless", "values"}
    assert "surely worse than" in there.left["hopeless"]
    assert "does not serve classification" in there.left["values"]


def test_what_is_late_is_given_up_and_what_was_through_stays() -> None:
    with opened(ground(), 2) as race:

        def time_is_over(progress: float, what: str) -> bool:
            if race.finished:
                race.deadline = -np.inf
            return False

        race.tell = time_is_over
        race.run([Entry("trees", trees(), must=True), Entry("long", perceptron(steps=200_000), must=True)])
    assert [one.name for one in race.finished] == ["trees"]
    assert not race.ended


def test_an_end_by_the_user_waits_for_the_first_alone() -> None:
    with opened(ground(), 2, tell=lambda progress, what: True) as race:
        race.run([Entry("trees", trees(), must=True), Entry("long", perceptron(steps=200_000), must=True)])
    assert race.ended
    assert [one.name for one in race.finished] == ["trees"]


def test_a_worker_tells_its_losses_after_each_rung_but_the_last() -> None:
    of = ground()
    contest = Contest(of, Criterion.of(of.judged, of.splits.train.prior, "balanced_accuracy"), 0)
    told = list(compete_elsewhere(contest, Heat("trees", trees())))
    assert [one.parts for one in told] == [(1, FOLDS), (2, FOLDS)]
    assert [int(np.isfinite(one.losses).sum()) for one in told] == [len(of.judged) // FOLDS, len(of.judged) // 2]
    assert not list(compete_elsewhere(contest, Heat("trees", trees(), tells=False)))

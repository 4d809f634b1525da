"""A race of candidates: the good go through all parts, the surely worse leave early, and time is given out but not
overdrawn."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rarebird.automl import candidate as candidates
from rarebird.automl import race as racing
from rarebird.automl.candidate import Candidate, TrainingContext, TrialSpec, losses_among, rung_ends
from rarebird.automl.criterion import Criterion
from rarebird.automl.portfolio import ENOUGH, PortfolioEntry
from rarebird.automl.race import GRANTED_SECONDS, LATE_SECONDS, LEAST_SECONDS, Race
from rarebird.core.checks import DataError
from rarebird.core.compute import Compute
from rarebird.core.progress import Progress, silent
from rarebird.data import split
from rarebird.data.dataset import Splits
from rarebird.evaluation import held_out
from rarebird.evaluation.held_out import CrossPredictions, cross_predict
from rarebird.evaluation.held_outputs import members_of, of_rows
from rarebird.experiment.row_parts import row_parts
from rarebird.experiment.setup import Setup, prepare_run
from rarebird.recipe.recipe import Recipe
from rarebird.training.cross_fit import CrossFit, Parts, cross_fit, cross_fit_all
from rarebird.training.part_seconds import scoring_seconds
from tests.automl.made_runs import FOLDS, perceptron, rows, setup, trees

# The seed of the recipes whose predictions are shuffled.
SHUFFLED = 99


def race(
    of: Setup | None = None,
    *,
    deadline: float = np.inf,
    progress: Progress = silent,
) -> Race:
    of = of or setup()
    train = of.splits.train
    prior = train.weighted_counts / train.weighted_counts.sum()
    return Race(TrainingContext(of, Criterion.of(of.scored_rows, prior, "balanced_accuracy"), 0), deadline, progress)


def enter(one: Race, name: str, recipe: Recipe, share: float = 1.0, **more: Any) -> Candidate | None:
    return next(iter(one.run([PortfolioEntry(name, recipe, share, **more)])), None)


@pytest.fixture
def shuffling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Candidates of the seed `SHUFFLED` predict each row what they should have predicted another."""
    original = candidates._assess

    def assessed(context: TrainingContext, spec: TrialSpec, models: CrossFit, begun: float) -> Candidate:
        found = original(context, spec, models, begun)
        if models.recipe.seed != SHUFFLED:
            return found
        known = np.flatnonzero(found.rows)
        predicted = found.predicted.copy()
        predicted[known] = predicted[np.random.default_rng(0).permutation(known)]
        return replace(found, predicted=predicted, losses=context.criterion.rows(predicted))

    monkeypatch.setattr(candidates, "_assess", assessed)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (1, [1]),
        (2, [1, 2]),
        (3, [1, 2, 3]),
        (5, [1, 3, 5]),
        (10, [1, 5, 10]),
    ],
)
def test_rungs_are_one_part_half_of_them_and_all(parts: int, expected: list[int]) -> None:
    assert rung_ends(parts) == expected


def test_a_candidate_is_scored_on_every_row_by_networks_that_never_saw_it() -> None:
    one = race()
    found = enter(one, "trees", trees(seed=5))
    assert found is not None
    train = one.context.setup.splits.train
    assert one.finished == [found]
    assert one.best is found
    assert [len(rows) for rows in found.models.held_rows] == [len(train) // FOLDS] * FOLDS
    fold = split.fold_of(train, FOLDS, 5)
    for part, held in enumerate(found.models.held_rows):
        np.testing.assert_array_equal(held, np.flatnonzero(fold == part))
    assert found.rows.all()
    np.testing.assert_allclose(found.predicted.sum(axis=1), 1)
    np.testing.assert_array_equal(found.losses, one.context.criterion.rows(found.predicted))
    assert found.loss < one.context.criterion.rows(np.tile(one.context.criterion.prior, (len(train), 1))).mean() / 2


def test_rungs_change_nothing_of_the_networks() -> None:
    """Part by part in rungs, the networks are those of one training of all parts."""
    one, recipe = race(), perceptron(seed=3)
    found = enter(one, "mlp", recipe)
    assert found is not None
    of = one.context.setup
    together = cross_fit_all(recipe, of.splits, of.parts(3), Compute())
    fresh = rows(30, seed=1)
    for ours, theirs in zip(members_of(found.models), members_of(together), strict=True):
        np.testing.assert_array_equal(ours.logits(fresh, "cpu"), theirs.logits(fresh, "cpu"))


def test_a_row_is_calibrated_without_its_own_part(monkeypatch: pytest.MonkeyPatch) -> None:
    one = race()
    seen: list[int] = []
    original = held_out.calibrate
    monkeypatch.setattr(
        held_out, "calibrate", lambda recipe, held, factors: seen.append(len(held.y)) or original(recipe, held, factors)
    )
    found = enter(one, "trees", trees())
    assert found is not None
    n = len(one.context.setup.scored_rows)
    # The last predictions are for all rows: those of each part by calibrations fitted on the other parts.
    assert seen[-FOLDS:] == [n - n // FOLDS] * FOLDS


def test_repeats_of_a_race_without_a_deadline_are_the_same() -> None:
    found = [enter(race(), "mlp", perceptron()) for _ in range(2)]
    assert found[0] is not None
    assert found[1] is not None
    np.testing.assert_array_equal(found[0].predicted, found[1].predicted)
    assert found[0].models.recipe == found[1].models.recipe


def test_a_surely_worse_candidate_leaves_early_and_is_named(shuffling: None) -> None:
    one = race()
    enter(one, "trees", trees())
    trained: list[str] = []
    one.progress = lambda share, what: trained.append(what) or False  # type: ignore[func-returns-value]
    assert enter(one, "shuffled", trees(seed=SHUFFLED)) is None
    assert [candidate.name for candidate in one.finished] == ["trees"]
    assert list(one.left) == ["shuffled"]
    assert one.left["shuffled"] in {
        f"it was surely worse than trees after {parts} of {FOLDS} parts" for parts in (1, 2)
    }
    # Eight rounds of at most two parts were told of.
    assert 0 < len(trained) <= 2 * 8


def test_an_entry_that_must_be_trained_is_trained_on_all_parts(shuffling: None) -> None:
    one = race()
    enter(one, "trees", trees())
    found = enter(one, "shuffled", trees(seed=SHUFFLED), must=True)
    assert found is not None
    assert len(found.models.trained) == FOLDS
    assert not one.left
    assert one.best is not None
    assert one.best.name == "trees"


def test_an_entry_that_stays_is_trained_on_all_parts_if_there_is_time(
    shuffling: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = race()
    enter(one, "trees", trees())
    found = enter(one, "shuffled", trees(seed=SHUFFLED), stays=True)
    assert found is not None
    assert len(found.models.trained) == FOLDS
    assert not one.left
    monkeypatch.setattr(one, "deadline", time.monotonic())
    assert enter(one, "late", trees(), stays=True) is None


def test_an_equally_good_candidate_is_trained_on_all_parts() -> None:
    one = race()
    for seed in range(4):
        assert enter(one, "trees", trees(seed=seed)) is not None
    assert enter(one, "the same again", trees()) is not None
    assert not one.left


def test_a_recipe_is_not_surely_worse_than_itself_with_few_rows_to_calibrate_on() -> None:
    """After one of ten parts a calibration knows two rows of forty: the best one is judged by a calibration on as
    few."""
    recipe = trees(folds=10, calibration=["temperature", "class_scale_bias"])
    one = race(prepare_run(recipe, Splits(rows(40)), device="cpu", test_share=0.0))
    best = enter(one, "trees", recipe)
    assert best is not None
    assert enter(one, "the same again", recipe) is not None
    assert not one.left
    early = np.isin(np.arange(40), best.models.held_rows[0])
    among = losses_among(one.context, best, early)
    np.testing.assert_array_equal(np.isfinite(among), early)
    assert np.nanmean(among) > np.nanmean(best.losses[early])
    np.testing.assert_allclose(losses_among(one.context, best, np.ones(40, bool)), best.losses)


def test_the_first_candidate_cannot_be_beaten(shuffling: None) -> None:
    one = race()
    assert enter(one, "shuffled", trees(seed=SHUFFLED)) is not None
    assert enter(one, "trees", trees()) is not None
    assert one.best is not None
    assert one.best.name == "trees"


def test_every_finished_candidate_is_recorded_at_once(shuffling: None) -> None:
    one = race()
    recorded: list[tuple[str, int]] = []
    dropped: list[str] = []
    one.log = SimpleNamespace(
        record=lambda entry, candidate: recorded.append((candidate.name, len(one.finished))),
        drop=lambda entry, why: dropped.append(why),
    )
    enter(one, "trees", trees())
    enter(one, "shuffled", trees(seed=SHUFFLED))
    enter(one, "more", trees(rounds=12), settings={"reference.rounds": 12}, parent="trees", is_reference=True)
    assert recorded == [("trees", 1), ("more", 2)]
    assert dropped == list(one.left.values())
    assert (one.finished[1].settings, one.finished[1].is_reference) == ({"reference.rounds": 12}, True)


def test_a_recipe_that_these_rows_cannot_serve_leaves_with_the_reason() -> None:
    one = race()
    assert enter(one, "values", perceptron(loss="mean_squared")) is None
    assert "does not serve classification" in one.left["values"]
    with pytest.raises(DataError, match="does not serve classification"):
        enter(one, "values", perceptron(loss="mean_squared"), must=True)


def test_a_diverged_training_leaves_with_the_reason() -> None:
    one = race()
    assert enter(one, "wild", perceptron(optimizer={"name": "sgd", "learning_rate": 1e30})) is None
    assert "diverged" in one.left["wild"]


@pytest.mark.parametrize("val", [False, True])
def test_the_rows_of_a_hold_out_are_two_parts(val: bool) -> None:
    recipe = trees(folds=0, holdout=None if val else 0.4)
    of = setup(recipe, val=val)
    part_of_row = row_parts(of, 0)
    held = np.arange(60) if val else of.parts(0)[0][1]
    assert part_of_row.shape == (len(of.scored_rows),)
    assert set(part_of_row[held]) == {0, 1}
    codes = of.scored_rows.codes[held]
    for code in (0, 1):
        sizes = np.bincount(part_of_row[held][codes == code], minlength=2)
        assert abs(int(sizes[0]) - int(sizes[1])) <= 1
    one = race(of)
    # A hold-out is the run's, whatever seed the candidate has.
    found = enter(one, "trees", recipe.updated(seed=7))
    assert found is not None
    np.testing.assert_array_equal(np.flatnonzero(found.rows), held)
    assert len(found.models.trained) == 1


def test_a_solved_head_is_calibrated_on_the_rows_of_its_rivals() -> None:
    """Its leave-one-out outputs hold out the rows beside the hold-out, too: calibrated on these, a recipe of the same
    outputs would look better than one that has the hold-out alone."""
    ridge = Recipe(kind="table", network="linear", head="ridge", folds=0, holdout=0.4, threads=1)
    of = setup(ridge)
    found = enter(race(of), "ridge", ridge)
    assert found is not None
    held = of.parts(0)[0][1]
    np.testing.assert_array_equal(np.flatnonzero(found.rows), held)
    (one,) = found.models.trained
    assert one.own_outputs is not None
    rivals = of_rows(of.scored_rows, held, one.own_outputs[held], 0)
    expected = cross_predict(found.models.recipe, rivals, [None], row_parts(of, 0)[held]).outputs
    np.testing.assert_allclose(found.predicted[held], expected)


def test_an_end_by_the_user_keeps_the_first_candidate_and_drops_later_ones() -> None:
    one = race(progress=lambda share, what: True)
    found = enter(one, "trees", trees())
    assert found is not None
    assert len(found.models.trained) == 1
    assert found.rows.sum() == len(one.context.setup.scored_rows) // FOLDS
    assert found.models.recipe.relaid == (((1, 1),),)
    assert one.ended
    assert enter(one, "later", trees(), must=True) is None
    two = race()
    enter(two, "trees", trees())
    two.progress = lambda share, what: True
    assert enter(two, "ended", trees(seed=1)) is None
    assert (two.ended, [candidate.name for candidate in two.finished], two.left) == (True, ["trees"], {})


class Fake:
    """A clock that only trainings move; each takes all the seconds that it may."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, steps: float = 1.0) -> None:
        self.now, self.deadlines, self.steps = 1000.0, [], steps
        clock = SimpleNamespace(monotonic=lambda: self.now)
        monkeypatch.setattr(racing, "time", clock)
        monkeypatch.setattr(candidates, "time", clock)
        monkeypatch.setattr(candidates, "cross_fit", self._train)

    def _train(
        self, recipe: Recipe, splits: Splits, parts: Parts, compute: Compute, enough: float, most: int | None = None
    ) -> Iterator[CrossFit]:
        """Each training takes its equal part of the time that is left."""
        assert compute.deadline is not None
        self.deadlines.append(compute.deadline)
        if self.steps < enough:
            return
        for done, models in enumerate(cross_fit(recipe, splits, parts, replace(compute, deadline=None))):
            self.now += (compute.deadline - self.now) / (len(parts) - done)
            yield models


def test_a_candidate_takes_no_more_than_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake(monkeypatch)
    one = race(deadline=1100.0)
    found = enter(one, "a", trees(), 0.25)
    assert found is not None
    assert fake.deadlines == [1025.0]
    assert found.seconds == pytest.approx(25)
    assert fake.now == pytest.approx(1025)
    left = one.time_left()
    enter(one, "b", trees(seed=1), 1.0)
    assert fake.deadlines[-1] == pytest.approx(1025 + left)
    assert fake.now <= one.deadline


def test_when_time_is_up_only_entries_that_must_be_trained_start(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake(monkeypatch)
    one = race(deadline=1010.0)
    fake.now = 1010.0 - 0.9 * LEAST_SECONDS
    assert enter(one, "a", trees()) is None
    assert fake.deadlines == []
    assert enter(one, "b", trees(), must=True) is not None
    assert fake.deadlines[0] == fake.now == pytest.approx(1010 - 0.9 * LEAST_SECONDS + LATE_SECONDS)
    fake.now = 2000.0
    assert enter(one, "c", trees()) is None
    # However late it is.
    assert enter(one, "d", trees(), must=True) is not None


def test_a_small_share_of_a_short_time_is_raised_to_the_granted_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = Fake(monkeypatch)
    one = race(deadline=1000.0 + 1.5 * GRANTED_SECONDS)
    assert enter(one, "a", trees(), 0.01) is not None
    assert fake.deadlines[-1] == pytest.approx(1000 + GRANTED_SECONDS)
    assert enter(one, "b", trees(), 0.01) is not None
    assert fake.deadlines[-1] == pytest.approx(1000 + 1.5 * GRANTED_SECONDS, abs=0.01)


def test_a_course_that_would_be_cut_short_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    Fake(monkeypatch, steps=ENOUGH - 0.1)
    one = race(deadline=1100.0)
    assert enter(one, "long", trees()) is None
    assert one.left == {"long": "there was too little time for it"}
    assert one.late == {"long"}
    assert enter(one, "default", trees(), must=True) is not None


def test_the_time_that_the_test_rows_take_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake(monkeypatch)
    one = race(setup(test=rows(50, seed=3)), deadline=1100.0)
    scoring = 50 * scoring_seconds(2)
    assert one.time_left() == pytest.approx(100 - scoring)
    for name in ("a", "b"):
        enter(one, name, trees(), 0.1)
    one.finished = [replace(found, per_row=per_row) for found, per_row in zip(one.finished, (0.1, 0.3), strict=True)]
    assert one.time_left() == pytest.approx(1100 - fake.now - scoring - 50 * 0.4)


def test_a_row_takes_the_time_of_all_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each held-out row was predicted by one network, a new one is predicted by all."""
    fake = Fake(monkeypatch)
    original = candidates.cross_predict

    def slow(*arguments: Any) -> CrossPredictions:
        fake.now += 8.0
        return original(*arguments)

    monkeypatch.setattr(candidates, "cross_predict", slow)
    one = race(deadline=1500.0)
    found = enter(one, "a", trees())
    assert found is not None
    assert found.per_row == pytest.approx(8.0 / len(one.context.setup.scored_rows) * FOLDS)


def test_progress_is_of_the_whole_race(monkeypatch: pytest.MonkeyPatch) -> None:
    fake, told = Fake(monkeypatch), []
    one = race(deadline=1100.0, progress=lambda share, what: told.append((share, what)) or False)  # type: ignore[func-returns-value]
    enter(one, "a", trees(), 0.5)
    assert told[0] == (0.0, f"a: training fold 1 of {FOLDS}")
    assert [progress for progress, _ in told] == sorted(progress for progress, _ in told)
    assert told[-1][0] <= 0.5
    fake.now = 5000.0
    enter(one, "b", trees(), must=True)
    assert told[-1][0] == 1.0


def test_a_race_on_the_real_clock_ends_with_a_whole_recipe() -> None:
    one = race(deadline=time.monotonic() + 1.5)
    found = enter(one, "default", perceptron(steps=None, epochs=2.0), must=True)
    assert found is not None
    assert len(found.models.trained) == FOLDS
    assert found.models.recipe.steps is not None

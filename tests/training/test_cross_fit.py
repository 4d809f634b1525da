"""One model per part: in turn, within one deadline, each with the rows that it never learned from."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rarebird.core.checks import DataError
from rarebird.core.compute import Compute
from rarebird.data.dataset import Splits
from rarebird.data.split import halves
from rarebird.evaluation import held_outputs
from rarebird.recipe.recipe import Recipe
from rarebird.training import cross_fit as module
from rarebird.training import part_seconds
from rarebird.training.cross_fit import CrossFit, Parts, cross_fit, cross_fit_all, trainer_of
from rarebird.training.network_trainer import NetworkTrainer
from rarebird.training.trainer import Trained, TrainingPlan
from tests.training.made_rows import recipe, rows

TRAIN = rows(120)
HALF = halves(TRAIN, 0) == 1
PARTS: Parts = [(np.flatnonzero(HALF), np.flatnonzero(~HALF)), (np.flatnonzero(~HALF), np.flatnonzero(HALF))]


def weights_of(models: CrossFit) -> list[np.ndarray]:
    return [next(one.network.parameters()).detach().numpy() for one in models.trained]


def test_models_come_one_at_a_time_and_are_the_same_as_all_at_once() -> None:
    seen = list(cross_fit(recipe(), Splits(TRAIN), PARTS, Compute()))
    assert [len(models.trained) for models in seen] == [1, 2]
    whole = cross_fit_all(recipe(), Splits(TRAIN), PARTS, Compute(), weight=3.0)
    assert whole.weight == 3.0
    for one, other in zip(weights_of(seen[-1]), weights_of(whole), strict=True):
        np.testing.assert_array_equal(one, other)
    for held, (_, expected) in zip(whole.held_rows, PARTS, strict=True):
        np.testing.assert_array_equal(held, expected)


def test_a_caller_that_stops_iterating_stops_the_remaining_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[int] = []
    run = NetworkTrainer.run

    def counted(self: NetworkTrainer, plan: TrainingPlan, on_step: Any) -> Trained:
        runs.append(self.fold)
        return run(self, plan, on_step)

    monkeypatch.setattr(NetworkTrainer, "run", counted)
    next(cross_fit(recipe(), Splits(TRAIN), PARTS, Compute()))
    assert runs == [0]


def test_given_validation_rows_score_every_model() -> None:
    models = cross_fit_all(recipe(), Splits(TRAIN, rows(30, seed=1)), [(np.arange(120), np.arange(0))], Compute())
    np.testing.assert_array_equal(models.held_rows[0], np.arange(30))


def test_progress_is_of_all_parts_and_ends_the_training_for_good() -> None:
    shares: list[float] = []

    def end_in_the_second_part(share: float, what: str) -> bool:
        shares.append(share)
        return what == "training fold 2 of 2"

    models = cross_fit_all(recipe(), Splits(TRAIN), PARTS, Compute(progress=end_in_the_second_part))
    assert models.ended_by_user
    assert len(models.trained) == 2
    assert shares == sorted(shares)
    assert models.recipe.relaid == ((), ((1, 1),))
    again = cross_fit_all(models.recipe, Splits(TRAIN), PARTS, Compute())
    for one, other in zip(weights_of(models), weights_of(again), strict=True):
        np.testing.assert_array_equal(one, other)


def test_without_time_for_enough_of_its_steps_nothing_is_trained() -> None:
    slow = recipe(steps=None, epochs=1e6)
    assert not list(cross_fit(slow, Splits(TRAIN), PARTS, Compute(deadline=time.monotonic() + 1), enough=0.5))
    assert len(list(cross_fit(recipe(), Splits(TRAIN), PARTS, Compute(), enough=1.0))) == 2


def test_networks_and_references_train_for_the_same_share_and_given_steps_stay() -> None:
    network, trees = (
        recipe(steps=None, epochs=4.0),
        recipe(steps=None, reference={"name": "boosted_trees", "rounds": 40}),
    )
    steps = [
        [next(cross_fit(one, Splits(TRAIN), PARTS, Compute(), share=share)).recipe.steps for share in (1.0, 0.25, 1e-9)]
        for one in (network, trees, recipe(steps=7))
    ]
    assert steps[0][1] == round(steps[0][0] / 4)
    assert steps[1:] == [[40, 10, 1], [7, 7, 7]]
    assert steps[0][2] == 1


def test_a_learning_curve_is_drawn_only_where_it_is_asked_for() -> None:
    for curve in (True, False):
        models = next(cross_fit(recipe(), Splits(TRAIN), PARTS, Compute(), curve=curve))
        assert all(("val_loss" in entry) == curve for entry in models.trained[0].history)


def test_the_time_that_scoring_takes_is_kept_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NetworkTrainer, "seconds_per_row", lambda self, deadline=None: 0.01)
    train, test = rows(), rows(1000, seed=1)
    trainer = trainer_of(recipe(), Splits(train), np.arange(400), 0, "cpu")
    parts = [(np.arange(200), np.arange(200, 400)), (np.arange(200, 400), np.arange(200))]
    splits = Splits(train, test=test)
    # 400 held-out rows once, 1000 test rows by each of two networks.
    far = module.seconds_after_training(time.monotonic() + 1000, trainer, splits, parts)
    assert far == pytest.approx(24, abs=0.1)
    assert module.seconds_after_training(time.monotonic() + 24, trainer, splits, parts) == pytest.approx(12, abs=0.1)
    # Rows that a model learned from have leave-one-out outputs: of 20 long series and 50 to test, 20 were counted for
    # nothing, and kernels were left out.
    whole = [(np.arange(400), np.arange(400))]
    far = module.seconds_after_training(time.monotonic() + 1000, trainer, splits, whole)
    assert far == pytest.approx(10, abs=0.1)


def test_a_training_that_would_end_long_after_the_deadline_is_refused_with_a_budget(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(NetworkTrainer, "seconds_per_row", lambda self, deadline=None: 0.5)
    with pytest.raises(DataError, match=r"takes about \d+ s on these rows.*such as --budget \d+m"):
        list(cross_fit(recipe(), Splits(TRAIN), PARTS, Compute(deadline=time.monotonic() + 10)))


def test_scoring_numbers_takes_time_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NetworkTrainer, "seconds_per_row", lambda self, deadline=None: 0.0)
    monkeypatch.setattr(part_seconds, "SCORING_SECONDS", 0.01)
    monkeypatch.setattr(part_seconds, "WRITING_SECONDS", 0.0)
    train = replace(TRAIN, task="regression", classes=(), y=np.linspace(0, 1, len(TRAIN)))
    trainer = trainer_of(recipe(loss="mean_squared"), Splits(train), np.arange(len(train)), 0, "cpu")
    parts = [(np.arange(0, len(train), 2), np.arange(1, len(train), 2))]
    seconds = module.seconds_after_training(time.monotonic() + 1000, trainer, Splits(train, test=train), parts)
    assert seconds == pytest.approx(0.01 * 1.5 * len(train))


def test_given_steps_are_not_exceeded_however_much_time_there_is() -> None:
    compute = Compute(deadline=time.monotonic() + 60)
    models = cross_fit_all(recipe(steps=3, epochs=1e6), Splits(TRAIN), PARTS, compute)
    assert models.recipe.steps == 3
    assert [one.history[-1]["step"] for one in models.trained] == [3, 3]


class LeaveOneOut:
    """A trainer that has an output for each row it learned from, as of a training without that row."""

    own_steps = 1
    shared_seconds = 0.0

    def __init__(self, plain: Recipe, trainer: NetworkTrainer, n: int) -> None:
        self.plain, self.trainer, self.n = plain, trainer, n

    def plan(self, deadline: float | None, trainings: int) -> Recipe:
        return self.trainer.plan(deadline, trainings)

    def seconds_per_row(self, deadline: float | None = None) -> float:
        return 0.0

    def fits(self, deadline: float | None, trainings: int) -> bool:
        return True

    def least_seconds(self, deadline: float) -> float:
        return 0.0

    def run(self, plan: TrainingPlan, on_step: Any) -> Trained:
        own = np.column_stack([np.arange(self.n, dtype=float), np.zeros(self.n)])
        return replace(self.trainer.run(plan, on_step), own_outputs=own)


def test_a_training_may_bring_held_out_outputs_for_its_own_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = module._trainer

    def leave_one_out(*arguments: Any) -> Any:
        trainer, learned = plain(*arguments)
        return LeaveOneOut(arguments[0], trainer, len(learned)), learned  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_trainer", leave_one_out)
    learned, held = np.arange(0, 120, 2), np.arange(1, 120, 2)
    models = cross_fit_all(recipe(), Splits(TRAIN), [(learned, held)], Compute())
    # Rows that it held out judge it where there are some.
    assert models.trained[0].own_outputs is None
    np.testing.assert_array_equal(models.unseen_rows(0), held)
    models = cross_fit_all(recipe(), Splits(TRAIN), [(learned, learned[3:9])], Compute())
    np.testing.assert_array_equal(models.held_rows[0], learned[3:9])
    assert not len(models.unseen_rows(0))
    outputs = held_outputs.predict(models, TRAIN, "cpu")
    np.testing.assert_array_equal(outputs.rows, learned[3:9])
    np.testing.assert_array_equal(outputs.outputs[:, 0], np.arange(3, 9))
    np.testing.assert_array_equal(outputs.y, TRAIN.codes[outputs.rows])
    # Given validation rows score the models in their place.
    splits = Splits(TRAIN, rows(30, seed=1))
    validated = cross_fit_all(recipe(), splits, [(np.arange(120), np.arange(0))], Compute())
    np.testing.assert_array_equal(validated.held_rows[0], np.arange(30))
    assert validated.trained[0].own_outputs is None


def test_methods_that_watch_scores_get_training_rows_that_are_set_aside() -> None:
    watching = recipe(regularization=["early_stopping"])
    trainer, learned = module._trainer(watching, Splits(TRAIN), PARTS[0], 0, Compute("cpu"), True)
    fit, held = PARTS[0]
    assert set(learned) < set(fit)
    watched: Any = trainer
    assert set(watched._watched.index) == set(fit) - set(learned)
    assert not set(watched._watched.index) & set(held)


def test_trainings_share_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a made clock: each training takes 10 of 40 s; the deadline of each is its part of what is left."""
    now, given = [1000.0], list[float | None]()
    for one in (module, part_seconds):
        monkeypatch.setattr(one, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(module, "seconds_after_training", lambda *arguments: 0.0)
    monkeypatch.setattr(NetworkTrainer, "least_seconds", lambda self, deadline: 0.0)
    monkeypatch.setattr(NetworkTrainer, "plan", lambda self, deadline, trainings: self.recipe)
    run = NetworkTrainer.run

    def timed(self: NetworkTrainer, plan: TrainingPlan, on_step: Any) -> Trained:
        given.append(plan.deadline)
        now[0] += 10
        return run(self, replace(plan, deadline=None), on_step)

    monkeypatch.setattr(NetworkTrainer, "run", timed)
    list(cross_fit(recipe(), Splits(TRAIN), PARTS, Compute(deadline=1040.0)))
    assert given == [1000 + 40 / 2, 1010 + 30]


def built_in(seconds: float, now: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """A made clock, by which the preparation of a part's rows takes some seconds, and nothing else does."""
    for one in (module, part_seconds):
        monkeypatch.setattr(one, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(module, "seconds_after_training", lambda *arguments: 0.0)
    monkeypatch.setattr(NetworkTrainer, "least_seconds", lambda self, deadline: 0.0)
    monkeypatch.setattr(NetworkTrainer, "plan", lambda self, deadline, trainings: self.recipe.updated(steps=2))
    made = module._trainer

    def slowly(*arguments: Any) -> Any:
        now[0] += seconds
        return made(*arguments)

    monkeypatch.setattr(module, "_trainer", slowly)


def test_where_preparation_takes_most_of_the_time_fewer_models_are_trained_and_replays_repeat_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts = [*PARTS, *PARTS]
    now = [1000.0]
    built_in(10.0, now, monkeypatch)
    monkeypatch.setattr(NetworkTrainer, "seconds_per_row", lambda self, deadline=None: 0.0)
    # Of 60 s, half may go into preparations: three of four.
    *_, models = cross_fit(recipe(), Splits(TRAIN), parts, Compute(deadline=1060.0))
    assert (len(models.trained), models.ended_by_clock, models.ended_by_user) == (3, True, False)
    assert len(models.recipe.relaid) == 3
    now[0] = 1000.0
    *_, whole = cross_fit(recipe(), Splits(TRAIN), parts, Compute(deadline=2000.0))
    assert (len(whole.trained), whole.ended_by_clock, whole.recipe.relaid) == (4, False, ())
    *_, again = cross_fit(models.recipe, Splits(TRAIN), parts, Compute())
    assert len(again.trained) == 3
    *_, limited = cross_fit(recipe(), Splits(TRAIN), parts, Compute(), most=2)
    assert (len(limited.trained), limited.ended_by_clock) == (2, True)

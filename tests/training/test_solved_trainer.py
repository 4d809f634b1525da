"""A network with frozen features is trained by solving its head: on all rows, each judged by an output without it."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rarebird.core.checks import DataError
from rarebird.core.compute import Compute
from rarebird.data.dataset import Dataset, Splits
from rarebird.data.sources import Curves, Pixels
from rarebird.evaluation import held_outputs
from rarebird.experiment.run import run
from rarebird.methods.head.ridge import PENALTIES
from rarebird.model.model import load
from rarebird.recipe.ensemble import Ensemble
from rarebird.recipe.recipe import Recipe
from rarebird.training import solved_trainer
from rarebird.training.cross_fit import cross_fit, cross_fit_all, parts_of
from rarebird.training.solved_trainer import SolvedTrainer
from rarebird.training.trainer import Trained, TrainingPlan
from tests.training.made_rows import rows

PENALTY = {"name": "ridge", "penalty": 0.1}


def recipe(**changes: Any) -> Recipe:
    return Recipe(**{"kind": "table", "network": "linear", "head": "ridge", "folds": 4, "threads": 1} | changes)


def trained(plan: Recipe, train: Dataset) -> Trained:
    return SolvedTrainer(plan, train, 0, "cpu").run(TrainingPlan(plan), lambda share: False)


def test_one_model_learns_from_all_rows_and_is_judged_on_those_of_all_parts() -> None:
    train = rows(120)
    parts = [(np.arange(120) % 4 != part, np.flatnonzero(np.arange(120) % 4 == part)) for part in range(4)]
    parts = [(np.flatnonzero(learned), held) for learned, held in parts]
    own = parts_of(recipe(), Splits(train), parts)
    models = cross_fit_all(recipe(), Splits(train), own, Compute())
    assert len(models.trained) == 1
    held = held_outputs.predict(models, train, "cpu")
    np.testing.assert_array_equal(held.rows, np.arange(120))
    assert models.trained[0].own_outputs is not None
    np.testing.assert_array_equal(held.outputs, models.trained[0].own_outputs)
    assert not len(models.unseen_rows(0))
    # Where other recipes have one hold-out, all rows are held out, too: its rare rows would be too few to calibrate.
    (learned, judging), *_ = parts_of(recipe(), Splits(train), parts[:1])
    np.testing.assert_array_equal(learned, np.arange(120))
    np.testing.assert_array_equal(judging, np.arange(120))
    # Without a head, with rows in time order, resampled rows, or given validation rows, parts are as given.
    assert parts_of(recipe(head=None), Splits(train), parts) is parts
    assert parts_of(recipe(resampling="random_over"), Splits(train), parts) is parts
    assert parts_of(recipe(), Splits(train, rows(30, seed=1)), parts) is parts
    ordered = replace(train, time=np.arange(120.0))
    assert parts_of(recipe(), Splits(ordered), parts) is parts
    # There each model predicts the rows that it held out.
    by_parts = cross_fit_all(recipe(), Splits(ordered), parts, Compute())
    assert [one.own_outputs for one in by_parts.trained] == [None] * 4
    np.testing.assert_array_equal(by_parts.unseen_rows(1), parts[1][1])


def test_copies_are_left_out_together() -> None:
    train = rows(60)
    twice = train.take(np.repeat(np.arange(60), 2))
    twice = replace(twice, copies=np.repeat(np.arange(60), 2))
    once, both = trained(recipe(head=PENALTY), train), trained(recipe(head=PENALTY), twice)
    weighted = trained(recipe(head=PENALTY), replace(train, weight=np.full(60, 2.0)))
    assert once.own_outputs is not None
    assert both.own_outputs is not None
    assert weighted.own_outputs is not None
    np.testing.assert_allclose(both.own_outputs[::2], weighted.own_outputs, atol=1e-6)
    np.testing.assert_allclose(both.own_outputs[1::2], weighted.own_outputs, atol=1e-6)


def test_a_run_is_repeated_and_its_model_predicts_from_its_folder(tmp_path: Any) -> None:
    data = Splits(rows(150))
    first = run(recipe(folds=None), data)
    again = run(Recipe.from_toml(first.recipe.to_toml()), data)
    test = first.splits.test
    assert test is not None
    np.testing.assert_array_equal(first.model.outputs(test), again.model.outputs(test))
    assert len(first.model.members) == 1
    assert first.result.protocol.startswith("All 120 training rows train the solved head, and each row")
    assert first.out_of_fold is not None
    assert np.isfinite(first.out_of_fold).all()
    first.model.save(tmp_path / "model")
    np.testing.assert_array_equal(load(tmp_path / "model").outputs(test), first.model.outputs(test))


def test_the_protocol_says_which_rows_judge_which_member() -> None:
    members = [recipe(folds=None, holdout=0.25), recipe(folds=None, holdout=0.25, head=None, steps=5)]
    mixed = run(Ensemble.of([(1.0, one) for one in members]), Splits(rows(150)))
    assert mixed.result.protocol.startswith("25% of the training rows are held out, as the recipe asks")
    assert "Solved heads differ: all rows train them" in mixed.result.protocol
    plain = run(members[1], Splits(rows(150)))
    assert "olved head" not in plain.result.protocol


def test_soft_targets_and_values_are_solved_too() -> None:
    train = rows(80)
    share = np.random.default_rng(0).uniform(0.2, 0.8, 80)
    soft = trained(recipe(), replace(train, y=np.stack([share, 1 - share], axis=1)))
    assert soft.own_outputs is not None
    np.testing.assert_allclose(soft.own_outputs.sum(axis=1), 0, atol=1e-5)
    values = replace(train, task="regression", classes=(), y=np.linspace(3, 9, 80) + train.codes)
    found = trained(recipe(loss="mean_squared", metric="r2"), values)
    assert found.own_outputs is not None
    assert found.own_outputs.shape == (80, 1)


def test_a_network_that_learns_its_features_is_refused() -> None:
    with pytest.raises(DataError, match="'mlp' learns its features"):
        SolvedTrainer(recipe(network="mlp"), rows(30), 0, "cpu")


@pytest.mark.parametrize(
    ("seconds_per_row", "left", "passes"),
    [(0.001, 60, [1, 1, 4, 16, 40]), (1.0, 20, [1, 1, 3]), (1.0, 60, [1, 1, 4, 5]), (9.0, 20, [1])],
)
def test_measuring_is_bounded(
    monkeypatch: pytest.MonkeyPatch, seconds_per_row: float, left: float, passes: list[int]
) -> None:
    """Of 40 series of 10,000 steps, measuring alone took 45 s of a budget of 20 s."""
    now, measured = [100.0], []

    def slow(network: Any, inputs: Any, device: str) -> None:
        measured.append(len(inputs["numbers"]))
        now[0] += measured[-1] * seconds_per_row

    trainer = SolvedTrainer(recipe(), rows(120), 0, "cpu")
    monkeypatch.setattr(solved_trainer, "features_of", slow)
    monkeypatch.setattr(solved_trainer.time, "monotonic", lambda: now[0])
    assert trainer.seconds_per_row(100.0 + left) == pytest.approx(seconds_per_row)
    assert trainer.seconds_per_row() == pytest.approx(seconds_per_row)
    assert measured == passes


def long_series(n: int = 6, steps: int = 4 * solved_trainer.SHORT_SERIES) -> Dataset:
    values = np.random.default_rng(0).normal(size=(n, 1, steps)).astype(np.float32)
    source, at = Curves(values, np.full(n, steps)), np.arange(n)
    return Dataset("series", "classification", source, at, at % 2, ("no", "yes"), at.astype(str))


@pytest.mark.parametrize("left", [100.0, 60.0])
def test_of_long_series_the_beginning_is_measured_on_many_rows(monkeypatch: pytest.MonkeyPatch, left: float) -> None:
    """One pass over the steps serves all rows of a block. Of 20 series of 2,844 steps, one whole series was measured,
    which took as long as all of them: kernels were left out of a budget of 60 s for a need of 415 s that was 9 s."""
    now, longest = [100.0], []

    def slow(network: Any, inputs: Any, device: str) -> None:
        rows, _, steps = inputs["values"].shape
        assert int(inputs["lengths"].max()) == steps
        longest.append(steps)
        now[0] += steps / solved_trainer.SHORT_SERIES * (1 + rows / 100)

    trainer = measuring(slow, now, monkeypatch)
    assert 6 * trainer.seconds_per_row(100.0 + left) == pytest.approx(4.0 * 1.06)
    assert set(longest) == {solved_trainer.SHORT_SERIES}


def test_a_pause_does_not_look_like_the_time_of_long_series(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of the time of 100 steps is not for steps at all, and the busy machine stops for as long as six rows
    take. Where 100 steps stood for 400, a need of 4.24 s was 8 s; of 2,844 steps, 6 s became 33."""
    now, measured = [100.0], []

    def slow(network: Any, inputs: Any, device: str) -> None:
        rows, _, steps = inputs["values"].shape
        measured.append(steps)
        pause = 0.1 if rows == 6 and measured.count(100) > 3 and steps == 100 else 0
        now[0] += 0.01 + 0.09 * steps / 100 * (1 + rows / 100) + pause

    trainer = measuring(slow, now, monkeypatch)
    assert 6 * trainer.seconds_per_row(200.0) == pytest.approx(0.01 + 0.36 * 1.06, rel=0.05)
    assert sum(steps > 100 for steps in measured) == 1


def measuring(slow: Any, now: list[float], monkeypatch: pytest.MonkeyPatch) -> SolvedTrainer:
    """The trainer of some long series, whose features take the time that ``slow`` adds to the clock."""
    trainer = SolvedTrainer(recipe(kind="series", network="random_kernels"), long_series(), 0, "cpu")
    monkeypatch.setattr(solved_trainer, "features_of", slow)
    monkeypatch.setattr(solved_trainer.time, "monotonic", lambda: now[0])
    return trainer


def test_many_classes_are_counted_in_the_time_of_a_solution(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 200 classes, judging the scores took most of the time; a budget of 20 s ended after 87 s."""
    monkeypatch.setattr(solved_trainer, "features_of", lambda *_: None)
    made, deadline = rows(400), time.monotonic() + 1000

    def least(classes: int) -> float:
        data = replace(made, y=np.arange(400) % classes, classes=tuple(f"{place:03d}" for place in range(classes)))
        return SolvedTrainer(recipe(), data, 0, "cpu").least_seconds(deadline)

    judged = len(PENALTIES) * solved_trainer.JUDGEMENTS * 400 * solved_trainer.SECONDS_PER_JUDGEMENT
    assert least(200) - least(2) > 198 * judged


def test_nothing_starts_that_takes_longer_than_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    # A look at the clock takes a millisecond, and nothing else does: a busy machine changes nothing.
    ticks = itertools.count()
    monkeypatch.setattr(time, "monotonic", lambda: next(ticks) * 1e-3)
    parts = [(np.arange(60), np.arange(60))]
    late = Compute(deadline=time.monotonic() + 1e-3)
    assert not list(cross_fit(recipe(), Splits(rows(60)), parts, late, enough=0.6))
    assert len(cross_fit_all(recipe(), Splits(rows(60)), parts, late).trained) == 1
    enough = Compute(deadline=time.monotonic() + 600)
    assert len(list(cross_fit(recipe(), Splits(rows(60)), parts, enough, enough=0.6))) == 1


def test_features_that_do_not_fit_into_the_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rarebird.core.memory.free_bytes", lambda: float(1 << 17))
    SolvedTrainer(recipe(), rows(60), 0, "cpu")
    with pytest.raises(DataError, match="linear on 4000 rows of 4 features takes"):
        SolvedTrainer(recipe(), rows(4000), 0, "cpu")


def test_a_pause_does_not_look_like_the_time_of_a_few_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """The busy machine stops for a tenth of a second while the last pictures are measured. Where only eight were, 10 ms
    became 35, and there was "too little time"."""
    now, measured = [100.0], []

    def slow(network: Any, inputs: Any, device: str) -> None:
        measured.append(len(inputs["pixels"]))
        now[0] += measured[-1] * 0.01 + (0.1 if sum(measured) >= 14 else 0)

    n = 120
    pixels = np.random.default_rng(0).integers(0, 256, (n, 1, 8, 8)).astype(np.uint8)
    source, at = Pixels(pixels), np.arange(n)
    train = Dataset("image", "classification", source, at, at % 2, ("no", "yes"), at.astype(str))
    own = recipe(kind="image", network="random_patches", augmentation=(), regularization=())
    trainer = SolvedTrainer(own, train, 0, "cpu")
    monkeypatch.setattr(solved_trainer, "features_of", slow)
    monkeypatch.setattr(solved_trainer.time, "monotonic", lambda: now[0])
    assert trainer.seconds_per_row(160.0) == pytest.approx(0.01, rel=0.3)
    assert sum(measured) * 0.01 < 2 * solved_trainer.PICTURES_SECONDS

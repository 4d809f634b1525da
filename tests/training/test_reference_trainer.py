"""A reference in a network's place: what a round costs is measured, a tight deadline lays out fewer, and an end is
recorded."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from rarebird.core import rng
from rarebird.data.dataset import Dataset, Frame
from rarebird.data.sources import Curves
from rarebird.methods.reference import _forest
from rarebird.recipe.recipe import Recipe
from rarebird.training import reference_trainer
from rarebird.training.inference import logits
from rarebird.training.reference_trainer import PLANNED_SHARE, ReferenceTrainer
from rarebird.training.trainer import Trained, TrainingPlan

REFERENCES = ("boosted_trees", "extra_trees")
each_reference = pytest.mark.parametrize("reference", REFERENCES)


def rows(n: int = 80, share: float = 0.25) -> Dataset:
    draw = np.random.default_rng(0)
    y = (np.arange(n) < share * n).astype(np.int64)
    frame = Frame(pd.DataFrame({name: draw.normal(y, 1) for name in "abcd"} | {"e": draw.choice(["u", "v"], n)}))
    return Dataset("table", "classification", frame, np.arange(n), y, ("no", "yes"), np.arange(n).astype(str))


def trainer(reference: str, fold: int = 0, rounds: int = 30, **changes: Any) -> ReferenceTrainer:
    plain = {"kind": "table", "network": "mlp", "reference": {"name": reference, "rounds": rounds}, "threads": 1}
    return ReferenceTrainer(Recipe(**plain | changes), rows(), fold)


def outputs_of(trained: Trained) -> np.ndarray:
    return logits(trained.network, trained.prepared.inputs(rows()))


def never(progress: float) -> bool:
    return False


@each_reference
def test_what_is_measured_is_finite_and_a_round_is_above_nothing(reference: str) -> None:
    one = trainer(reference)
    once, each = one._measure(None)
    assert (once >= 0).all()
    assert (each > 0).all()
    assert np.isfinite([once, each]).all()


def test_measured_times_are_of_what_is_done_once_and_of_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a made clock: 5 s at once and 2 s a round to grow, 1 s and 3 s a round to predict all 80 rows."""
    one = trainer("boosted_trees")
    monkeypatch.setattr(one, "_seconds", lambda rounds, some: (5 + 2 * rounds, 1 + 3 * rounds))
    assert one.least_seconds(time.monotonic() + 1e6) == pytest.approx(7)
    assert one.seconds_per_row() == pytest.approx((1 + 3 * 30) / 80)
    # Of 100 s for two trainings, each has 40 s, of which 5 are spent once.
    assert one.plan(time.monotonic() + 100, 2).steps == 17


def test_few_rows_are_measured_where_rows_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_trainer, "MEASURED_VALUES", 180)
    assert trainer("boosted_trees")._measured_rows == 180 // 9  # four numbers, four marks of missing ones, a category
    monkeypatch.setattr(reference_trainer, "MEASURED_VALUES", 1)
    assert trainer("boosted_trees")._measured_rows == reference_trainer.FEWEST_MEASURED_ROWS


@each_reference
def test_a_training_ends_after_the_round_after_which_the_next_is_late_and_replays(reference: str) -> None:
    one = trainer(reference)
    late = one.run(TrainingPlan(one.recipe.updated(steps=30), deadline=time.monotonic() - 1), never)
    assert late.changes == [(1, 1)]
    assert late.ended == "clock"
    again = one.run(TrainingPlan(one.recipe.updated(steps=30), deadline=0.0, changes=late.changes), never)
    np.testing.assert_array_equal(outputs_of(again), outputs_of(late))


@each_reference
def test_without_a_deadline_the_reference_keeps_its_own_rounds_unmeasured(
    reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ReferenceTrainer, "_seconds", lambda *arguments: 1 / 0)
    assert trainer(reference).plan(None, 5).steps == 30
    assert trainer(reference, steps=12).plan(None, 5).steps == 12


def test_fewer_rounds_learn_faster_and_are_recorded_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 200 rounds of .05, 15 hardly left the prior; given steps and given rates stay as they are."""
    one = trainer("boosted_trees", rounds=80)
    monkeypatch.setattr(one, "_seconds", lambda rounds, some: (0.25 * rounds, 1e-3 * rounds))
    monkeypatch.setattr(reference_trainer, "time", SimpleNamespace(monotonic=lambda: 1000.0))
    planned = one.plan(1000.0 + 12.51, 1)
    assert planned.steps == 40
    assert planned.reference.learning_rate == pytest.approx(0.1)  # type: ignore[union-attr]
    assert one.plan(1000.0 + 1.26, 1).reference.learning_rate == 0.2  # type: ignore[union-attr]
    assert one.plan(1000.0 + 1e9, 1).reference.learning_rate == 0.05  # type: ignore[union-attr]
    given = trainer("boosted_trees", rounds=80, steps=50)
    monkeypatch.setattr(given, "_seconds", lambda rounds, some: (0.25 * rounds, 1e-3 * rounds))
    assert given.plan(1000.0 + 1.26, 1).reference.learning_rate == 0.05  # type: ignore[union-attr]
    monkeypatch.undo()
    # What is trained is what is recorded: a replay of the planned recipe has the same outputs.
    trained = one.run(TrainingPlan(planned), never)
    again = ReferenceTrainer(planned, rows(), 0).run(TrainingPlan(planned), never)
    np.testing.assert_array_equal(outputs_of(again), outputs_of(trained))
    slow = trainer("boosted_trees", steps=40)
    assert np.std(outputs_of(trained)) > np.std(outputs_of(slow.run(TrainingPlan(slow.recipe), never)))


def test_a_tight_deadline_gives_fewer_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_trainer, "time", SimpleNamespace(monotonic=lambda: 1000.0))

    def planned(seconds: float, networks: int = 1, of_a_round: float = 0.25) -> int:
        one = trainer("boosted_trees")
        monkeypatch.setattr(one, "_seconds", lambda rounds, some: (of_a_round * rounds, 1e-3 * rounds))
        steps = one.plan(1000.0 + seconds, networks).steps
        assert steps is not None
        return steps

    assert planned(1e9) == 30
    assert planned(5.01) == int(PLANNED_SHARE * 5.01 / 0.25) == 16
    assert planned(5.01, networks=2) == 8
    assert planned(5.01, of_a_round=0.5) == 8
    # Even if it is too late, one round is trained.
    assert planned(0.0) == planned(-100.0) == 1


@each_reference
def test_a_deadline_on_the_real_clock_is_one_round_or_more(reference: str) -> None:
    assert trainer(reference).plan(time.monotonic(), 1).steps == 1
    assert trainer(reference).plan(time.monotonic() + 1e6, 1).steps == 30


@each_reference
def test_a_training_ends_with_its_last_round_or_where_it_was_ended(reference: str) -> None:
    one = trainer(reference, rounds=50)
    plan = TrainingPlan(one.plan(None, 1))
    told: list[float] = []
    whole = one.run(plan, lambda progress: told.append(progress) or False)  # type: ignore[func-returns-value]
    assert len(told) == 50
    assert (whole.changes, whole.ended) == ([], "epochs")
    ended = one.run(plan, lambda progress: progress > 0.1)
    ((done, total),) = ended.changes
    assert done == total < 50
    assert ended.ended == "stop"
    # The replay of what was recorded gives the same trees.
    again = one.run(replace(plan, changes=ended.changes), never)
    np.testing.assert_array_equal(outputs_of(again), outputs_of(ended))
    assert not np.array_equal(outputs_of(again), outputs_of(whole))
    assert again.changes == ended.changes


@each_reference
def test_seeds_and_folds_have_trees_of_their_own(reference: str) -> None:
    def grown(**given: Any) -> np.ndarray:
        one = trainer(reference, rounds=5, **given)
        return outputs_of(one.run(TrainingPlan(one.plan(None, 1)), never))

    np.testing.assert_array_equal(grown(), grown())
    assert not np.array_equal(grown(seed=1), grown())
    assert not np.array_equal(grown(fold=1), grown())


def test_the_prior_factor_of_resampling_is_returned() -> None:
    one = trainer("boosted_trees", rounds=3)
    np.testing.assert_allclose(one.run(TrainingPlan(one.plan(None, 1)), never).prior_factor, [0.5, 0.5])
    even = trainer("boosted_trees", rounds=3, resampling="random_over")
    # 20 and 60 rows were made 60 and 60: the rarer class counts three times as much.
    np.testing.assert_allclose(even.run(TrainingPlan(even.plan(None, 1)), never).prior_factor, [0.25, 0.75])


def test_what_series_are_described_by_is_computed_once_for_all_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 200 series of 10,000 steps, measuring computed all quantiles again for each fit, and took them for the time of
    each tree: quant was left out of a budget of 20 s."""
    described, compute = [], _forest.interval_quantiles

    def counted(values: torch.Tensor, lengths: torch.Tensor, length: int) -> np.ndarray:
        described.append(len(values))
        return compute(values, lengths, length)

    values = np.random.default_rng(0).normal(size=(40, 1, 60)).astype(np.float32)
    source, at = Curves(values, np.full(40, 60)), np.arange(40)
    train = Dataset("series", "classification", source, at, at % 2, ("no", "yes"), at.astype(str))
    recipe = Recipe(kind="series", network="random_kernels", reference="quant", threads=1)
    monkeypatch.setattr(reference_trainer, "MEASURED_VALUES", 1)
    monkeypatch.setattr(_forest, "interval_quantiles", counted)
    one = ReferenceTrainer(recipe, train, 0)
    plan = one.plan(time.monotonic() + 1000, 1)
    trees = one.run(TrainingPlan(plan), never).network
    assert described.count(40) == 1
    plain = recipe.reference.fit(
        one.prepared.inputs(train), one.rows.y, one.rows.weight, one.prepared.spec, rounds=plan.steps,
        seed=rng.torch_seed(recipe.seed, "reference", 0) % 2**31, threads=1,
    )  # fmt: skip
    inputs = one.prepared.inputs(train)
    torch.testing.assert_close(trees(inputs), plain(inputs), rtol=0, atol=0)

"""Synthetic rows in a training: as many as asked for, marked and weighted, after the real ones; the prior factor is
measured; rows that judge are real."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rarebird.core.compute import Compute
from rarebird.data.dataset import Dataset, Splits
from rarebird.experiment.run import run
from rarebird.recipe.recipe import Recipe
from rarebird.slots import methods
from rarebird.slots.synthetic_rows import Generated
from rarebird.training import synthesis
from rarebird.training.joining import Joined
from rarebird.training.synthesis import planned, synthesize
from rarebird.training.training_rows import learned_rows
from tests.training.made_rows import recipe, rows


def filled(train: Dataset, **settings: Any) -> Dataset:
    return synthesize(recipe(synthesis={"name": "mixture", **settings}), train, 0, Compute()).rows


def test_without_a_method_rows_stay_as_they_are() -> None:
    train = rows()
    assert synthesize(recipe(), train, 0, Compute()).rows is train
    assert filled(train, ratio=0) is train


def test_classes_are_filled_after_all_real_rows() -> None:
    train = rows()
    after = filled(train, ratio=0.5)
    assert after.synthetic is not None
    counts = np.bincount(train.codes)
    np.testing.assert_array_equal(np.bincount(after.codes), [counts[0], round(0.5 * counts[0])])
    assert not after.synthetic[: len(train)].any()
    assert after.synthetic[len(train) :].all()
    assert after.raw().iloc[: len(train)].equals(train.raw())


def test_the_prior_factor_is_what_all_new_rows_count_for() -> None:
    train = rows()
    counts = np.bincount(train.codes).astype(float)
    for weight in (1.0, 0.25):
        method = {"name": "mixture", "ratio": 1.0, "weight": weight}
        _, factor, _ = learned_rows(recipe(synthesis=method), Joined(train, train), 0)
        assert factor is not None
        expected = (counts[1] + weight * (counts[0] - counts[1])) / counts[1]
        assert factor[1] / factor[0] == pytest.approx(expected)


def test_resampling_comes_after_it_and_keeps_the_mark() -> None:
    train = rows()
    chosen = recipe(synthesis={"name": "mixture", "ratio": 0.5}, resampling="smote")
    after, factor, _ = learned_rows(chosen, Joined(train, train), 0)
    assert np.ptp(np.bincount(after.codes)) == 0
    assert after.synthetic is not None
    assert after.synthetic.sum() > 0
    assert factor is not None
    assert factor[1] / factor[0] == pytest.approx((train.codes == 0).sum() / (train.codes == 1).sum())


def test_a_class_of_too_few_rows_gets_none_and_a_note() -> None:
    train = rows()
    few = train.take(np.concatenate([np.flatnonzero(train.codes == 0), np.flatnonzero(train.codes == 1)[:1]]))
    found = synthesize(recipe(synthesis="tree_flow"), few, 0, Compute())
    assert found.rows.synthetic is None
    assert found.notes == ("tree_flow makes no rows of 'yes': it needs 2 training rows of a class.",)


@pytest.mark.parametrize("trained", [{}, {"reference": "boosted_trees"}, {"network": "linear", "head": "ridge"}])
def test_no_synthetic_row_judges_and_every_model_learns_some(
    trained: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[str]] = []
    fit = methods.load("synthesis", "mixture").fit

    def watched(self: Any, train: Dataset, compute: Compute, draw: np.random.Generator) -> Generated:
        seen.append(set(train.ids))
        return fit(self, train, compute, draw)  # type: ignore[no-any-return, attr-defined]

    monkeypatch.setattr(methods.load("synthesis", "mixture"), "fit", watched)
    asked = {"name": "mixture", "classes": ["yes"]}
    outcome = run(recipe(**trained, synthesis=asked, folds=3), Splits(rows(200)), device="cpu", copies=None)
    assert len(seen) == 3
    judged = outcome.splits.test
    assert judged is not None
    assert judged.synthetic is None
    assert outcome.splits.train.synthetic is None
    for held in seen:
        assert not held & set(judged.ids)
        assert len(held) == pytest.approx(len(outcome.splits.train) * 2 / 3, abs=2)
    # Each row of the training part is held out by one of the three.
    assert set.intersection(*seen) == set()
    assert outcome.result.n_train == len(outcome.splits.train)


def test_a_short_time_records_fewer_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    train, chosen = rows(), recipe(synthesis="tree_flow")
    assert planned(recipe(), train, Compute(), 1, 1.0) == recipe()
    short = planned(chosen, train, Compute(), 10, 1e-3)
    assert short.synthesis.steps == 1
    monkeypatch.setattr(synthesis, "SHARE", 1e6)
    assert planned(chosen, train, Compute(), 1, 1.0).synthesis.steps == chosen.synthesis.steps


def test_a_recipe_round_trips_with_its_synthesis() -> None:
    chosen = recipe(synthesis={"name": "tree_flow", "ratio": 0.5})
    assert Recipe.from_toml(chosen.to_toml()) == chosen
    assert chosen.with_settings(["synthesis.weight=0.5"]).synthesis.weight == 0.5

"""No leak: rows that score a model have no part in what they score. The tests change such rows beyond recognition, and
nothing that is learned may change by a bit.

This covers scalers, categories, bins, remedies, weights, calibration and decision at once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from rarebird.core.compute import Compute
from rarebird.data import split
from rarebird.data.dataset import Dataset, Frame, Splits
from rarebird.evaluation import complete, held_out
from rarebird.evaluation.held_outputs import Factors, HeldOut
from rarebird.experiment.run import Outcome, run
from rarebird.recipe.recipe import Recipe
from rarebird.training import cross_fit
from rarebird.training.network_trainer import NetworkTrainer

N, FOLDS = 90, 3


def rows(n: int = N, seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.3).astype(np.int64)
    frame = pd.DataFrame({"a": rng.normal(y, 1), "b": rng.normal(size=n), "c": rng.choice(["u", "v"], n)})
    return Dataset("table", "classification", Frame(frame), np.arange(n), y, ("no", "yes"), np.arange(n).astype(str))


def marked(data: Dataset, at: np.ndarray, flip: bool = True) -> Dataset:
    """A copy in which the rows `at` have wild numbers, a category of their own and the other label."""
    assert isinstance(data.source, Frame)
    assert data.y is not None
    frame = data.source.frame.copy()
    # Each row gets its own wild number: equal rows would form a group of duplicates, and the folds would change.
    frame.loc[at, "a"] = frame.loc[at, "b"] = 1e6 * (1 + np.arange(len(at)))
    frame.loc[at, "c"] = "marked"
    y = data.y.copy()
    if flip:
        y[at] = 1 - y[at]
    return replace(data, source=Frame(frame), y=y)


def recipe(**changes: object) -> Recipe:
    plain = {
        "kind": "table",
        "network": {"name": "mlp"},
        "loss": "weighted",
        "calibration": ["prior_correction", "temperature"],
        "decision": "threshold",
        "metric": "macro_f1",
        "regularization": ["ema"],
        "steps": 12,
        "batch_size": 16,
        "folds": FOLDS,
    }
    return Recipe(**(plain | changes))


def weights(outcome: Outcome, member: int) -> torch.Tensor:
    return torch.cat([value.flatten().float() for value in outcome.model.members[member].network.state_dict().values()])


def same_member(one: Outcome, two: Outcome, member: int) -> bool:
    prepared = one.model.members[member].prepared == two.model.members[member].prepared
    return prepared and torch.equal(weights(one, member), weights(two, member))


@pytest.mark.parametrize("folds", [FOLDS, 0])
def test_test_rows_change_nothing_that_is_learned(folds: int) -> None:
    train, test = rows(), rows(30, seed=1)
    one = run(recipe(folds=folds, holdout=None if folds else 0.3), Splits(train, test=test))
    two = run(recipe(folds=folds, holdout=None if folds else 0.3), Splits(train, test=marked(test, np.arange(30))))
    assert all(same_member(one, two, member) for member in range(len(one.model.members)))
    assert [member.calibrations for member in one.model.members] == [
        member.calibrations for member in two.model.members
    ]
    assert one.model.decision == two.model.decision
    assert one.result.validation == two.result.validation
    assert one.result.test != two.result.test


def test_a_held_out_fold_does_not_change_its_own_network() -> None:
    train = rows()
    fold = split.fold_of(train, FOLDS, 0)
    at = np.flatnonzero(fold == 1)
    # Only features are changed, because labels decide in which fold a row is.
    one = run(recipe(), Splits(train), test_share=0)
    two = run(recipe(), Splits(marked(train, at, flip=False)), test_share=0)
    assert same_member(one, two, 1)
    assert not same_member(one, two, 0)
    assert "marked" not in two.model.members[1].prepared.model_dump_json()
    assert "marked" in two.model.members[0].prepared.model_dump_json()


def test_hold_out_rows_change_only_the_calibration() -> None:
    train = rows()
    held = split.hold_out(train, 0.3, 0)
    chosen = recipe(folds=0, holdout=0.3)
    one = run(chosen, Splits(train), test_share=0)
    two = run(chosen, Splits(marked(train, np.flatnonzero(held), flip=False)), test_share=0)
    assert same_member(one, two, 0)
    assert one.model.members[0].calibrations != two.model.members[0].calibrations


def test_given_validation_rows_never_join_training() -> None:
    train, val, test = rows(), rows(30, seed=2), rows(30, seed=3)
    one = run(recipe(folds=None), Splits(train, val, test))
    two = run(recipe(folds=None), Splits(train, marked(val, np.arange(30)), test))
    assert same_member(one, two, 0)
    assert one.model.members[0].calibrations != two.model.members[0].calibrations


def test_calibration_and_decision_see_held_out_rows_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A calibration gets exactly one row of logits per held-out row, from the network that did not train on it."""
    seen = []
    original = complete.calibrate

    def spy(recipe: Recipe, held: HeldOut, factors: Factors) -> list[held_out.FittedChain]:
        seen.append(held)
        return original(recipe, held, factors)

    monkeypatch.setattr(complete, "calibrate", spy)
    train = rows()
    outcome = run(recipe(), Splits(train), test_share=0)
    fold = split.fold_of(train, FOLDS, 0)
    held, *crossed = seen
    assert len(held.y) == (fold >= 0).sum()
    for member in range(FOLDS):
        mine = held.network == member
        expected = outcome.model.members[member].logits(train.take(fold == member), "cpu")
        np.testing.assert_allclose(held.outputs[mine], expected)
    # The figures of each part come from a fit on the rows of all other parts.
    assert [set(fold[other.rows]) for other in crossed] == [{1, 2}, {0, 2}, {0, 1}]


@pytest.mark.parametrize(
    "watching", [{"regularization": [{"name": "early_stopping", "patience": 1}]}, {"schedule": "reduce_on_plateau"}]
)
@pytest.mark.parametrize("given", [True, False])
def test_scored_rows_do_not_steer_the_training(watching: dict[str, object], given: bool) -> None:
    train, val = rows(), rows(30, seed=1) if given else None
    steered = recipe(folds=0, holdout=None if given else 0.3, steps=40, **watching)
    held = split.hold_out(train, 0.3, steered.seed)
    other = (
        Splits(train, marked(val, np.arange(30)))
        if val is not None
        else Splits(marked(train, np.flatnonzero(held), flip=False))
    )
    one, two = (run(steered, data, test_share=0) for data in (Splits(train, val), other))
    assert same_member(one, two, 0)
    assert one.result.validation != two.result.validation


def test_watched_rows_are_taken_from_the_networks_own_training_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    given = []

    class Spy(NetworkTrainer):
        def __init__(self, recipe: Recipe, learned: Dataset, watched: Dataset, *others: Any) -> None:
            given.append((learned.index, watched.index))
            super().__init__(recipe, learned, watched, *others)

    monkeypatch.setattr(cross_fit, "NetworkTrainer", Spy)
    train = rows()
    parts = split.parts(train, split.decide(train, folds=FOLDS), 0)
    cross_fit.cross_fit_all(recipe(regularization=["early_stopping"]), Splits(train), parts, Compute())
    assert len(given) == FOLDS
    for (learned, watched), (fit, held) in zip(given, parts, strict=True):
        assert sorted([*learned, *watched]) == sorted(fit)
        assert not set(watched) & set(held)
        assert train.codes[watched].any()

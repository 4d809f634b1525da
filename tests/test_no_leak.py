"""Rule 1: rows that judge are seen by nothing that they judge. Judging rows are changed beyond recognition, and nothing
learned may change.

This is non-interference, bit for bit: it covers scalers, categories, bins, remedies, weights, calibration and decision
at once.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from rarebird.data import split
from rarebird.data.dataset import Dataset, Frame, Splits
from rarebird.experiment.run import Outcome, run
from rarebird.recipe.recipe import Recipe
from rarebird.training.cross_fit import watched_apart

N, FOLDS = 90, 3


def rows(n: int = N, seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.3).astype(np.int64)
    frame = pd.DataFrame({"a": rng.normal(y, 1), "b": rng.normal(size=n), "c": rng.choice(["u", "v"], n)})
    return Dataset("table", "classification", Frame(frame), np.arange(n), y, ("no", "yes"), np.arange(n).astype(str))


def marked(data: Dataset, at: np.ndarray, flip: bool = True) -> Dataset:
    """The rows at `at` with wild numbers, a category of their own, and the other label."""
    assert isinstance(data.source, Frame)
    assert data.y is not None
    frame = data.source.frame.copy()
    # Each row its own wild number: equal rows would be duplicates, which are grouped, and the folds would be others.
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


def test_a_fold_held_out_changes_nothing_of_its_own_network() -> None:
    train = rows()
    fold = split.fold_of(train, FOLDS, 0)
    at = np.flatnonzero(fold == 1)
    # Only features are changed: labels decide which fold a row falls to.
    one = run(recipe(), Splits(train), test_share=0)
    two = run(recipe(), Splits(marked(train, at, flip=False)), test_share=0)
    assert same_member(one, two, 1)
    assert not same_member(one, two, 0)
    assert "marked" not in two.model.members[1].prepared.model_dump_json()
    assert "marked" in two.model.members[0].prepared.model_dump_json()


def test_hold_out_rows_change_calibration_alone() -> None:
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
    """What reaches a calibration is exactly one logit row per held-out row, from the network that did not train on
    it."""
    from rarebird.evaluation import held_out

    seen = []
    original = held_out.calibrate

    def spy(recipe: Recipe, held: held_out.HeldOut, factors: list[np.ndarray | None]) -> list[held_out.Chain]:
        seen.append(held)
        return original(recipe, held, factors)

    monkeypatch.setattr(held_out, "calibrate", spy)
    train = rows()
    outcome = run(recipe(), Splits(train), test_share=0)
    fold = split.fold_of(train, FOLDS, 0)
    (held,) = seen
    assert len(held.y) == (fold >= 0).sum()
    for member in range(FOLDS):
        mine = held.member == member
        expected = outcome.model.members[member].logits(train.take(fold == member), "cpu")
        np.testing.assert_allclose(held.logits[mine], expected)


@pytest.mark.parametrize(
    "watching", [{"regularization": [{"name": "early_stopping", "patience": 1}]}, {"schedule": "reduce_on_plateau"}]
)
@pytest.mark.parametrize("given", [True, False])
def test_rows_that_judge_do_not_steer_a_training(watching: dict[str, object], given: bool) -> None:
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


def test_what_watches_gets_rows_of_the_networks_own() -> None:
    train = rows()
    fit, held = split.parts(train, split.decide(train, folds=FOLDS), 0)[0]
    left, watched = watched_apart(recipe(regularization=["early_stopping"]), train, fit)
    assert set(left) | set(watched) == set(fit)
    assert not set(left) & set(watched)
    assert not set(watched) & set(held)
    assert train.codes[watched].any()
    assert not len(watched_apart(recipe(), train, fit)[1])

"""No network learns a copy of a row that judges it: a row of a table, a picture or a series."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rarebird.data.dataset import Curves, Dataset, Frame, Kind, Pixels, Source, Splits
from rarebird.experiment.copies import Copies
from rarebird.experiment.run import Outcome, run
from rarebird.recipe.recipe import Recipe
from rarebird.training import cross_fit
from rarebird.training.network_trainer import NetworkTrainer

N, COPIED = 60, 20
KINDS: tuple[Kind, ...] = ("table", "image", "series")


def values(kind: Kind, originals: np.ndarray, first_id: int = 0) -> Source:
    """Rows made of the originals with these numbers; equal numbers make equal rows, but for a table's `id`."""
    rngs = [np.random.default_rng(int(original)) for original in originals]
    if kind == "table":
        numbers = np.array([rng.normal(size=3) for rng in rngs])
        frame = pd.DataFrame(numbers, columns=["a", "b", "c"])
        return Frame(frame.assign(id=first_id + np.arange(len(originals))))
    if kind == "image":
        return Pixels(np.array([rng.integers(0, 256, (1, 8, 8), dtype=np.uint8) for rng in rngs]))
    curves = np.array([rng.normal(size=(1, 24)).cumsum(axis=1) for rng in rngs], dtype=np.float32)
    return Curves(curves, np.full(len(originals), 24))


def rows(kind: Kind, originals: np.ndarray, first_id: int = 0) -> Dataset:
    n = len(originals)
    y = (originals % 3 == 0).astype(np.int64)
    ids = np.array([f"{kind} {original}" for original in originals])
    return Dataset(kind, "classification", values(kind, originals, first_id), np.arange(n), y, ("no", "yes"), ids)


def split_rows(kind: Kind) -> Splits:
    """Of the training rows, 20 copy validation rows and 20 others copy test rows; 5 validation rows copy test rows."""
    train, fresh = np.arange(N), 1000 + np.arange(20)
    val = np.concatenate([train[:COPIED], fresh[:10]])
    test = np.concatenate([train[COPIED : 2 * COPIED], fresh[5:20]])
    return Splits(rows(kind, train), rows(kind, val, 2000), rows(kind, test, 4000))


def recipe(kind: Kind, **changes: object) -> Recipe:
    plain = {"kind": kind, "network": "linear", "calibration": ["prior_correction", "temperature"], "steps": 2}
    return Recipe(**(plain | changes))


@pytest.fixture
def learned(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """The ids of the rows that each network learns from."""
    seen: list[set[str]] = []

    class Spy(NetworkTrainer):
        def __init__(self, recipe: Recipe, learned: Dataset, watched: Dataset, *others: Any) -> None:
            seen.append(set(learned.ids))
            super().__init__(recipe, learned, watched, *others)

    monkeypatch.setattr(cross_fit, "NetworkTrainer", Spy)
    return seen


def judged(outcome: Outcome) -> set[str]:
    parts = (outcome.splits.val, outcome.splits.test)
    return {one for part in parts if part is not None for one in part.ids}


@pytest.mark.parametrize("early", [(), ("early_stopping",)])
@pytest.mark.parametrize("given", ["val and test", "val", "test"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_training_row_copies_a_judged_row(
    kind: Kind, given: str, early: tuple[str, ...], learned: list[set[str]]
) -> None:
    data = split_rows(kind)
    data = replace(data, val=data.val if "val" in given else None, test=data.test if "test" in given else None)
    outcome = run(recipe(kind, regularization=early, folds=2 if given == "test" else None), data, test_share=0)
    assert learned
    assert all(rows and not rows & judged(outcome) for rows in learned)
    n_copies = COPIED * (("val" in given) + ("test" in given))
    (note,) = (note for note in outcome.result.notes if "left out of training" in note)
    assert f"{n_copies} of {N}" in note
    assert "--keep-copies" in note
    assert outcome.result.n_train == N - n_copies


@pytest.mark.parametrize("kind", KINDS)
def test_validation_rows_that_copy_test_rows_calibrate_nothing(kind: Kind) -> None:
    outcome = run(recipe(kind), split_rows(kind))
    val, test = outcome.splits.val, outcome.splits.test
    assert val is not None
    assert test is not None
    assert (len(val), len(test)) == (25, 35)
    assert not set(val.ids) & set(test.ids)
    assert any("5 of 30 validation rows copy a test row and are left out" in note for note in outcome.result.notes)


@pytest.mark.parametrize("kind", KINDS)
def test_kept_copies_are_trained_on_and_said_to_make_figures_too_good(kind: Kind, learned: list[set[str]]) -> None:
    outcome = run(recipe(kind), split_rows(kind), copies=Copies(keep=True))
    assert [len(rows) for rows in learned] == [N]
    assert len(judged(outcome)) == 60
    assert any("40 of 60 training rows copy" in note and "not honest" in note for note in outcome.result.notes)


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_of_copies_alone_keeps_its_rows_and_is_judged_on_rows_that_are_no_copies(
    kind: Kind, learned: list[set[str]]
) -> None:
    train = np.arange(N)
    rare = train[train % 3 == 0]
    fresh = 1000 + np.arange(20)
    outcome = run(
        recipe(kind, folds=2), Splits(rows(kind, train), test=rows(kind, np.concatenate([rare, fresh]), 2000))
    )
    assert outcome.splits.test is not None
    assert list(outcome.splits.test.ids) == [f"{kind} {original}" for original in fresh]
    assert set(rare) <= {int(one.split()[1]) for rows in learned for one in rows}
    assert all(not rows & judged(outcome) for rows in learned)
    (note,) = (note for note in outcome.result.notes if "would lose all its rows" in note)
    assert "'yes'" in note
    assert "20 of 40 test rows copy a training row and are left out." in outcome.result.notes


def test_test_rows_that_are_all_training_rows_give_no_figure(learned: list[set[str]]) -> None:
    data = rows("table", np.arange(N))
    outcome = run(recipe("table", folds=2), Splits(data, test=data))
    assert outcome.result.test is None
    assert outcome.splits.test is None
    assert {len(rows) for rows in learned} == {N // 2}
    assert any("No test row is left" in note for note in outcome.result.notes)


def test_rows_without_weight_neither_judge_nor_are_learned() -> None:
    data = split_rows("table")
    assert data.test is not None
    silent = replace(data, val=None, test=replace(data.test, weight=np.where(np.arange(35) < COPIED, 0.0, 1.0)))
    outcome = run(recipe("table", folds=2), silent)
    assert outcome.result.n_train == N


@pytest.mark.parametrize("kind", KINDS)
def test_held_out_rows_have_no_copies_in_training_across_the_groups_of_a_user(
    kind: Kind, learned: list[set[str]]
) -> None:
    """40 rows come twice, once in each of two groups; no network learns one of a pair and is judged by the other."""
    originals = np.concatenate([np.arange(40), np.arange(40)])
    group = np.concatenate([np.arange(40) // 2, 20 + np.arange(40) // 2]).astype(str)
    outcome = run(recipe(kind, folds=4), Splits(replace(rows(kind, originals), group=group)), test_share=0.25)
    assert len(learned) == 4
    held = outcome.splits.test
    assert held is not None
    assert all(not set(held.ids) & rows for rows in learned)
    # Four networks hold every row out once, copies together: what one learned, it did not hold out.
    trained = outcome.splits.train
    assert all(len(rows) < len(set(trained.ids)) for rows in learned)
    assert sum(len(set(trained.ids) - rows) for rows in learned) == len(set(trained.ids))
    assert any("Rows that are copies, or near-copies, of another row: 40" in note for note in outcome.result.notes)

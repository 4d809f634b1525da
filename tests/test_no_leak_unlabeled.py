"""No leak by rows without labels: a row that copies a judged row never reaches a weight, and a network that learns
without labels from training rows does not see those that it holds out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from rarebird.core.checks import DataError
from rarebird.data.concatenation import concat
from rarebird.data.dataset import Dataset, Frame, Pixels, Splits
from rarebird.experiment.run import Outcome, run
from rarebird.readers.unlabeled import fitted
from rarebird.recipe.recipe import Recipe
from tests.test_no_leak import FOLDS, marked, rows, same_member
from tests.test_no_leak import recipe as plain_recipe

LEARNS = {"name": "self_supervised", "epochs": 4, "batch_size": 16}


def recipe(**changes: object) -> Recipe:
    return plain_recipe(**({"transfer": LEARNS} | changes))


def fit(train: Dataset, pool: Dataset | None, test: Dataset | None = None, **changes: object) -> Outcome:
    unlabeled = None if pool is None else fitted(pool, train)[0]
    return run(recipe(**changes), Splits(train, test=test, unlabeled=unlabeled), test_share=0)


def same(one: Outcome, two: Outcome) -> bool:
    return all(same_member(one, two, member) for member in range(len(one.model.members)))


def pictures(n: int, seed: int) -> Dataset:
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    array = rng.integers(0, 120, (n, 1, 12, 12)).astype(np.uint8)
    array[y == 1, :, :6] += 100
    return Dataset("image", "classification", Pixels(array), np.arange(n), y, ("no", "yes"), y.astype(str))


@pytest.mark.parametrize("near", [False, True])
def test_a_test_row_that_is_planted_in_the_pool_changes_no_weight(near: bool) -> None:
    train, test, pool = rows(), rows(30, seed=1), rows(60, seed=2)
    planted = test.take(np.arange(5)).raw()
    if near:
        planted["a"] = planted["a"] * (1 + 1e-8)
    copies = replace(test.take(np.arange(5)), source=Frame(planted), index=np.arange(5))
    alone = fit(train, None, test, transfer=None)
    one, two = fit(train, pool, test), fit(train, concat([pool, copies]), test)
    assert same(one, two)
    assert not same(alone, one), "the pool does reach the weights"
    assert two.splits.unlabeled is not None
    assert (len(two.splits.unlabeled.rows), two.splits.unlabeled.judged_copies) == (60, 5)
    said = "Of the 65 rows of data, 5 copy a validation or test row; these are left out of the pool."
    assert said in two.result.notes


def test_a_marked_picture_that_is_planted_changes_no_weight() -> None:
    train, test, pool = pictures(60, 0), pictures(20, 1), pictures(60, 2)
    settings = {"kind": "image", "steps": 3, "network": {"name": "mlp", "width": 16, "depth": 1}}
    one = fit(train, pool, test, **settings)
    two = fit(train, concat([pool, test.take(np.arange(1)), train.take(np.arange(2))]), test, **settings)
    assert same(one, two)
    assert two.splits.unlabeled is not None
    assert (two.splits.unlabeled.judged_copies, two.splits.unlabeled.own_copies) == (1, 2)


def test_labels_in_the_pool_change_nothing() -> None:
    train, pool = rows(), rows(60, seed=2)
    assert pool.y is not None
    assert same(fit(train, pool), fit(train, replace(pool, y=1 - pool.y)))


def test_without_a_pool_a_held_out_fold_does_not_change_its_own_network() -> None:
    train = rows()
    one = fit(train, None)
    held = [member.prepared for member in one.model.members]
    assert len(held) == FOLDS
    assert one.held_out_rows is not None
    from rarebird.data import split

    parts = split.parts(one.splits.train, split.decide(one.splits.train, None, folds=FOLDS), 0)
    for place, (_, rows_held) in enumerate(parts):
        # `marked` changes inputs and labels: neither may reach the network that holds these rows out.
        two = fit(marked(train, rows_held, flip=False), None)
        assert same_member(one, two, place)
        assert not all(same_member(one, two, other) for other in range(FOLDS) if other != place)


def test_leave_one_out_outputs_judge_only_features_of_other_rows() -> None:
    """A solved head learns from all rows; its features may come from the pool, but not from the rows that it judges."""
    solved = {"head": "ridge", "stages": "linear_probe", "calibration": ["class_scale_bias"]}
    train, pool = rows(), rows(60, seed=2)
    with_pool, without = fit(train, pool, **solved), fit(train, None, **solved)
    assert len(with_pool.model.members) == 1
    assert len(without.model.members) == FOLDS


def test_a_pool_of_copies_alone_is_refused() -> None:
    with pytest.raises(DataError, match="Every row of data copies one of data"):
        fit(rows(), rows())


def test_one_pretraining_serves_all_parts_of_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    from rarebird.training.pretraining import Pretraining

    taken = []
    steps = Pretraining._steps
    monkeypatch.setattr(Pretraining, "_steps", lambda self, *given: taken.append(1) or steps(self, *given))
    settings = {"kind": "image", "steps": 2, "network": {"name": "cnn", "width": 8}, "folds": 3}
    outcome = fit(pictures(60, 0), pictures(60, 2), **settings)
    assert len(taken) == 1
    assert len(outcome.model.members) == 3
    first = [member.network.state_dict() for member in outcome.model.members]
    assert not all(torch.equal(part, first[1][name]) for name, part in first[0].items())
    again = fit(pictures(60, 0), pictures(60, 2), **settings)
    assert same(outcome, again)
    assert "Of" not in outcome.result.notes[0]

"""Rule 1 for a search: scored rows are changed completely, and nothing that was learned or chosen without them may
change.

Non-interference, bit for bit, as in `tests/test_no_leak.py`: it covers the recipes that race, who leaves, repeats,
weights, calibrations and the decision at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch

from rarebird.automl.candidate import Candidate
from rarebird.automl.command import Search
from rarebird.core.clock import Clock
from rarebird.core.progress import silent
from rarebird.data import split
from rarebird.data.dataset import Dataset, Frame, Splits
from rarebird.experiment.run import Outcome, finish
from rarebird.experiment.setup import Setup, prepare_run
from rarebird.recipe.recipe import Recipe
from rarebird.training.network_trainer import Trained
from tests.automl.made_runs import FOLDS, perceptron, rows, search

PROTOCOLS = ("folds", "hold-out", "validation rows")
each_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)


def marked(data: Dataset, at: np.ndarray, flip: bool = True) -> Dataset:
    """The rows at `at` with wild numbers, a category of their own, and the other label."""
    assert isinstance(data.source, Frame)
    assert data.y is not None
    frame, y = data.source.frame.copy(), data.y.copy()
    # Each row its own wild number: equal rows would be duplicates, which are grouped, and the folds would be others.
    frame.loc[at, "a"] = frame.loc[at, "b"] = 1e6 * (1 + np.arange(len(at)))
    frame.loc[at, "c"] = "marked"
    if flip:
        y[at] = 1 - y[at]
    return replace(data, source=Frame(frame), y=y)


def base(protocol: str) -> Recipe:
    recipe = perceptron(decision="threshold", metric="macro_f1", regularization=["ema"])
    return recipe if protocol == "folds" else recipe.updated(folds=0, holdout=0.4 if protocol == "hold-out" else None)


def setup(
    protocol: str, train: Dataset | None = None, val: Dataset | None = None, test: Dataset | None = None
) -> Setup:
    given = (rows(60, seed=2) if val is None else val) if protocol == "validation rows" else None
    data = Splits(rows() if train is None else train, given, rows(40, seed=1) if test is None else test)
    return prepare_run(base(protocol), data, device="cpu")


@cache
def plain(protocol: str) -> tuple[Search, Outcome]:
    """A search with nothing changed."""
    return ended(protocol, setup(protocol))


def ended(protocol: str, of: Setup) -> tuple[Search, Outcome]:
    one = search(of, base(protocol))
    recipe, fits = one.shipped()
    return one, finish(recipe, of, fits, Clock(), silent, timings={})


def same_network(one: Trained, two: Trained) -> bool:
    if one.prepared != two.prepared:
        return False
    if hasattr(one.network, "to_text"):
        return bool(one.network.to_text() == two.network.to_text())
    if hasattr(one.network, "to_arrays"):
        arrays = one.network.to_arrays(), two.network.to_arrays()
        return all(np.array_equal(array, arrays[1][name]) for name, array in arrays[0].items())
    states = one.network.state_dict(), two.network.state_dict()
    return all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def pairs(one: Sequence[Candidate], two: Sequence[Candidate]) -> list[tuple[Candidate, Candidate]]:
    """Candidates of the same name and seed."""
    theirs = {(candidate.name, candidate.models.recipe.seed): candidate for candidate in two}
    return [
        (candidate, theirs[key])
        for candidate in one
        if (key := (candidate.name, candidate.models.recipe.seed)) in theirs
    ]


@each_protocol
def test_test_rows_change_nothing_that_is_learned_or_chosen(protocol: str) -> None:
    one, before = plain(protocol)
    test = rows(40, seed=1)
    two, after = ended(protocol, setup(protocol, test=marked(test, np.arange(40))))
    assert after.recipe == before.recipe
    assert [candidate.name for candidate in two.race.finished] == [candidate.name for candidate in one.race.finished]
    assert two.race.left == one.race.left
    for ours, theirs in zip(one.race.finished, two.race.finished, strict=True):
        np.testing.assert_array_equal(ours.predicted, theirs.predicted)
        assert all(same_network(*both) for both in zip(ours.models.trained, theirs.models.trained, strict=True))
    assert one.selection is not None
    assert two.selection is not None
    np.testing.assert_array_equal(one.selection.shares, two.selection.shares)
    assert (one.selection.gain, one.selection.why) == (two.selection.gain, two.selection.why)
    assert [member.calibrations for member in before.model.members] == [
        member.calibrations for member in after.model.members
    ]
    assert before.model.calibrations == after.model.calibrations
    assert before.model.decision == after.model.decision
    np.testing.assert_array_equal(before.out_of_fold, after.out_of_fold)
    assert before.result.validation == after.result.validation
    assert before.result.test != after.result.test


class Unread(Frame):
    """Rows that nobody may look at."""

    def rows(self, index: np.ndarray) -> pd.DataFrame:
        raise AssertionError("the rows were read")


@each_protocol
def test_a_search_does_not_read_test_rows(protocol: str) -> None:
    # Before a search, test rows are read to find their copies among the training rows.
    known = setup(protocol)
    test = known.splits.test
    assert test is not None
    assert isinstance(test.source, Frame)
    hidden = replace(known, splits=replace(known.splits, test=replace(test, source=Unread(test.source.frame))))
    one = search(hidden, base(protocol))
    recipe, fits = one.shipped()
    with pytest.raises(AssertionError, match="the rows were read"):
        finish(recipe, hidden, fits, Clock(), silent, timings={})


def test_a_fold_held_out_changes_nothing_of_its_own_networks() -> None:
    """In every candidate and its repeats, which are held out on other folds, the network that is scored on a
    changed row is the same as before."""
    train = rows()
    at = np.flatnonzero(split.fold_of(train, FOLDS, 0) == 1)[:1]
    # Only features are changed: labels decide which fold a row falls to.
    two = search(setup("folds", marked(train, at, flip=False)), base("folds"))
    both = pairs(plain("folds")[0].race.finished, two.race.finished)
    assert {candidate.name for candidate, _ in both} == {"linear", "trees", "mlp"}
    assert len({candidate.models.recipe.seed for candidate, _ in both}) > 1
    for ours, theirs in both:
        for place, held in enumerate(ours.models.held_rows):
            blind = bool(np.isin(at, held).all())
            assert ("marked" in theirs.models.trained[place].prepared.model_dump_json()) is not blind
            if blind:
                assert same_network(ours.models.trained[place], theirs.models.trained[place])


@pytest.mark.parametrize("protocol", ["hold-out", "validation rows"])
def test_held_out_rows_change_no_network(protocol: str) -> None:
    train, val = rows(), rows(60, seed=2)
    if protocol == "hold-out":
        held = np.flatnonzero(split.hold_out(train, 0.4, 0))
        changed = setup(protocol, marked(train, held, flip=False))
    else:
        changed = setup(protocol, val=marked(val, np.arange(60)))
    two, after = ended(protocol, changed)
    one, before = plain(protocol)
    both = pairs(one.race.finished, two.race.finished)
    # Who goes through is theirs to say, but for the one that must.
    assert "mlp" in {candidate.name for candidate, _ in both}
    for ours, theirs in both:
        assert all(same_network(*both) for both in zip(ours.models.trained, theirs.models.trained, strict=True))
        assert not np.array_equal(ours.predicted, theirs.predicted, equal_nan=True)
    assert before.result.validation != after.result.validation


def test_a_row_is_calibrated_by_the_rows_of_the_other_part() -> None:
    """A held-out row that is another changes what selection sees of the other half; of its own half it changes itself
    alone."""
    val = rows(60, seed=2)
    one = plain("validation rows")[0]
    at = np.flatnonzero(one.race.context.parts == 0)[:1]
    two = search(setup("validation rows", val=marked(val, at, flip=False)), base("validation rows"))
    np.testing.assert_array_equal(two.race.context.parts, one.race.context.parts)
    own, others = (one.race.context.parts == 0) & (np.arange(60) != at), one.race.context.parts == 1
    for ours, theirs in pairs(one.race.finished, two.race.finished):
        np.testing.assert_array_equal(theirs.predicted[own], ours.predicted[own])
        assert not np.array_equal(theirs.predicted[others], ours.predicted[others])
        assert not np.array_equal(theirs.predicted[at], ours.predicted[at])

"""A forest's arrays: they come back bit for bit, and arrays that are no forest are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from rarebird.methods.reference import _forest
from rarebird.methods.reference.extra_trees import ExtraTrees
from tests.methods.reference.made_forests import SPEC, VALUES, grown, inputs

Arrays = dict[str, np.ndarray]


def copied(arrays: Arrays) -> Arrays:
    return {name: array.copy() for name, array in arrays.items()}


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_arrays_come_back_bit_for_bit(task: str) -> None:
    x, codes = inputs()
    if task == "classification":
        forest, spec = grown(), SPEC
    else:
        y = torch.from_numpy(codes / 7)[:, None] + x["numbers"][:, :1]
        forest, spec = ExtraTrees().fit(x, y, torch.ones(150), VALUES, rounds=7, seed=0, threads=1), VALUES
    again = ExtraTrees().from_arrays(copied(forest.to_arrays()), spec)
    assert torch.equal(again(x), forest(x))
    for name, array in forest.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array)
        assert again.arrays[name].dtype == array.dtype


def test_forests_grown_in_chunks_are_those_grown_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    in_chunks = grown(50)
    monkeypatch.setattr("rarebird.methods.reference._growth.CHUNK", 50)
    at_once = grown(50)
    for name, array in at_once.arrays.items():
        np.testing.assert_array_equal(in_chunks.arrays[name], array)


def test_rows_are_predicted_in_parts_that_bound_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    x, _ = inputs()
    together = grown()(x)
    monkeypatch.setattr(_forest, "PATHS", 20)  # two rows of seven trees
    assert torch.equal(grown()(x), together)


def put(name: str, value: Any, leaf: bool = False) -> Callable[[Arrays], None]:
    """`value` in an array's place at the first node that splits, or at the first leaf."""

    def change(arrays: Arrays) -> None:
        arrays[name][np.argmax((arrays["feature"] < 0) == leaf)] = value

    return change


def without_last(name: str) -> Callable[[Arrays], None]:
    return lambda arrays: arrays.update({name: arrays[name][:-1]})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("left", 0), "a child comes after its parent"),
        (put("right", 0), "a child comes after its parent"),
        (put("left", -1), "a child comes after its parent"),
        (put("right", 10**6), "a child comes after its parent"),
        (put("left", 10**6, leaf=True), "leaves are numbered"),
        (put("feature", 11), "trees split at the columns of a row"),
        (put("feature", -2), "trees split at the columns of a row"),
        (put("feature", -1), "leaves are numbered"),
        (put("threshold", float("nan")), "numbers are finite"),
        (put("share", float("inf"), leaf=True), "numbers are finite|between 0 and 1"),
        (put("share", -0.5), "shares of classes are between 0 and 1"),
        (put("share", 1e30), "shares of classes are between 0 and 1"),
        (put("share_class", 3), "shares are of the classes"),
        (put("share_class", -1), "shares are of the classes"),
        (put("share_start", 5), "one entry per leaf"),
        (lambda arrays: arrays["share_start"].__setitem__(-1, 10**12), "one entry per leaf"),
        (without_last("share_start"), "one entry per leaf"),
        (without_last("share"), "one entry per leaf"),
        (without_last("threshold"), "one entry per node"),
        (lambda arrays: arrays.update(roots=arrays["roots"][:0]), "roots are nodes"),
        (put("roots", 10**9), "roots are nodes"),
        (lambda arrays: arrays.pop("left"), "a forest has its arrays"),
        (lambda arrays: arrays.update(more=arrays["left"]), "a forest has its arrays"),
        (lambda arrays: arrays.update(left=arrays["left"].astype(np.float32)), "a forest has its arrays"),
        (lambda arrays: arrays.update(roots=arrays["roots"][:, None]), "a forest has its arrays"),
    ],
)
def test_arrays_that_are_no_forest_are_refused(change: Callable[[Arrays], object], message: str) -> None:
    arrays = copied(grown(2).arrays)
    change(arrays)
    with pytest.raises(ValueError, match=message):
        ExtraTrees().from_arrays(arrays, SPEC)


def test_a_forest_of_another_table_is_refused() -> None:
    arrays = grown(2).arrays
    with pytest.raises(ValueError, match="shares are of the classes"):
        ExtraTrees().from_arrays(arrays, SPEC.model_copy(update={"n_outputs": 2}))
    with pytest.raises(ValueError, match="trees split at the columns of a row"):
        ExtraTrees().from_arrays(arrays, SPEC.model_copy(update={"n_numbers": 1, "cardinalities": ()}))


def text_of(arrays: Arrays) -> dict[str, Any]:
    """The JSON that version 0.1 wrote: the shares of every class, for inner nodes, too."""
    plain = {name: arrays[name].tolist() for name in _forest.NODES}
    value = np.zeros((len(arrays["feature"]), 3), np.float32)
    leaves = np.flatnonzero(arrays["feature"] < 0)
    for number, node in enumerate(leaves):
        own = slice(*arrays["share_start"][number : number + 2])
        value[node, arrays["share_class"][own]] = arrays["share"][own]
        plain["left"][node] = 0
    return plain | {"value": value.tolist()}


def test_the_text_of_version_0_1_is_read() -> None:
    x, _ = inputs()
    forest = grown()
    assert torch.equal(ExtraTrees().from_text(json.dumps(text_of(forest.arrays)), SPEC)(x), forest(x))


@pytest.mark.parametrize(
    "change",
    [
        {"left": [10**30]},
        {"left": ["0"]},
        {"left": None},
        {"left": [{"a": 1}]},
        {"left": [[1, 2], [1]]},
        {"left": 0},
        {"threshold": [1e300]},
        {"value": [[0.5, 0.5]]},
        {"value": []},
        {"roots": [0.5]},
        {"roots": []},
        {"command": "rm"},
    ],
)
def test_a_text_that_is_no_forest_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must hold|inhomogeneous"):
        ExtraTrees().from_text(json.dumps(text_of(grown(2).arrays) | change), SPEC)


@pytest.mark.parametrize("text", ["", "import os", "null", "[]", "[" * 100_000, '{"feature": 1e999}'])
def test_what_is_no_forest_at_all_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"Expecting value|a forest's text has its arrays"):
        ExtraTrees().from_text(text, SPEC)

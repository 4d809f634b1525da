"""The text of a forest: it comes back bit for bit, and a text that is no forest is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from rarebird.methods.reference.extra_trees import ExtraTrees
from tests.methods.reference.made_forests import SPEC, VALUES, grown, inputs


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_texts_come_back_bit_for_bit(task: str) -> None:
    x, codes = inputs()
    if task == "classification":
        forest, spec = grown(), SPEC
    else:
        y = torch.from_numpy(codes / 7)[:, None] + x["numbers"][:, :1]
        forest, spec = ExtraTrees().fit(x, y, torch.ones(150), VALUES, rounds=7, seed=0, threads=1), VALUES
    again = ExtraTrees().from_text(forest.to_text(), spec)
    for name, array in forest.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array)
        assert again.arrays[name].dtype == array.dtype
    assert torch.equal(again(x), forest(x))
    assert again.to_text() == forest.to_text()


def first_inner(plain: dict[str, Any]) -> int:
    return next(place for place, feature in enumerate(plain["feature"]) if feature >= 0)


def put(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """`value` in an array's place at the first node that splits."""

    def change(plain: dict[str, Any]) -> None:
        plain[name][first_inner(plain)] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("left", 0), "a child comes after its parent"),
        (put("right", 0), "a child comes after its parent"),
        (put("left", -1), "a child comes after its parent"),
        (put("right", 10**6), "a child comes after its parent"),
        (put("feature", 11), "trees split at the table's columns"),
        (put("feature", 2**40), "trees split at the table's columns"),
        (put("feature", 10**30), "hold numbers"),
        (put("feature", -2), "trees split at the table's columns"),
        (put("feature", -(10**6)), "trees split at the table's columns"),
        (put("feature", 0.5), "hold numbers"),
        (put("feature", "0"), "hold numbers"),
        (put("feature", None), "hold numbers"),
        (put("left", {"a": 1}), "hold numbers"),
        (put("left", [1, 2]), "."),
        (put("threshold", float("nan")), "numbers are finite"),
        (put("threshold", float("inf")), "numbers are finite"),
        (put("threshold", 1e300), "numbers are finite"),
        (put("threshold", [1.0]), "."),
        (put("value", [float("nan"), 0.5, 0.5]), "numbers are finite"),
        (put("value", [0.0, 0.0, 1e39]), "numbers are finite"),
        (put("value", [0.5, 0.5]), "."),
        (put("value", [-0.5, 0.5, 1.0]), "shares of classes are between 0 and 1"),
        (put("value", [0.5, 0.5, 1e30]), "shares of classes are between 0 and 1"),
        (lambda plain: plain["roots"].append(-1), "roots are nodes"),
        (lambda plain: plain["roots"].append(10**9), "roots are nodes"),
        (lambda plain: plain["roots"].append(0.5), "hold numbers"),
        (lambda plain: plain.update(roots=[]), "hold numbers|roots are nodes"),
        (lambda plain: plain.update(roots=[[0]]), "roots are nodes"),
        (lambda plain: plain.update(roots=0), "roots are nodes"),
        (lambda plain: plain["threshold"].pop(), "one entry per node"),
        (lambda plain: plain["left"].append(1), "one entry per node"),
        (lambda plain: plain.update(feature=3), "one entry per node"),
        (lambda plain: plain.update(value=[row[:2] for row in plain["value"]]), "one entry per node"),
        (lambda plain: plain.update({name: [] for name in plain}), "hold numbers|one entry per node"),
        (lambda plain: plain.pop("left"), "a forest's text has its arrays"),
        (lambda plain: plain.update(command="rm"), "a forest's text has its arrays"),
    ],
)
def test_a_text_that_is_no_forest_is_refused(change: Callable[[dict[str, Any]], object], message: str) -> None:
    plain = json.loads(grown(2).to_text())
    change(plain)
    with pytest.raises(ValueError, match=message):
        ExtraTrees().from_text(json.dumps(plain), SPEC)


@pytest.mark.parametrize("text", ["", "import os", "null", "[]", "[" * 100_000, '{"feature": 1e999}'])
def test_what_is_no_forest_at_all_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"Expecting value|a forest's text has its arrays"):
        ExtraTrees().from_text(text, SPEC)


def test_a_forest_of_another_table_is_refused() -> None:
    text = grown(2).to_text()
    with pytest.raises(ValueError, match="one entry per node"):
        ExtraTrees().from_text(text, SPEC.model_copy(update={"n_outputs": 2}))
    with pytest.raises(ValueError, match="trees split at the table's columns"):
        ExtraTrees().from_text(text, SPEC.model_copy(update={"n_numbers": 1, "cardinalities": ()}))

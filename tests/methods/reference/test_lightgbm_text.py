"""LightGBM's text: what training wrote comes back bit for bit, and what was edited is refused before LightGBM's own
parser reads it (it would read beyond arrays, or follow children for ever)."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch

from rarebird.data.spec import InputSpec
from rarebird.methods.reference.boosted_trees import BoostedTrees, Trees

ROWS, CATEGORIES = 400, 8


def spec(outputs: int = 2, task: Any = "classification") -> InputSpec:
    return InputSpec(
        kind="table", task=task, n_outputs=outputs, n_numbers=3, bins=((0.0, 1.0),) * 3, cardinalities=(CATEGORIES,)
    )


def inputs() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randn(ROWS, 3, generator=generator)
    missing = (torch.rand(ROWS, 3, generator=generator) < 0.2).float()
    categories = torch.randint(CATEGORIES, (ROWS, 1), generator=generator)
    return {"numbers": numbers * (1 - missing), "missing": missing, "categories": categories}


def grown(outputs: int = 2, task: str = "classification", rounds: int = 3, **settings: Any) -> Trees:
    x, shape = inputs(), spec(outputs, task)
    code = (x["categories"][:, 0] % 3 + (x["numbers"][:, 0] > 0)).remainder(max(outputs, 2))
    y = code[:, None].float() if task == "regression" else torch.eye(outputs)[code]
    settings = {"fewest_rows": 3, "leaves": 6} | settings
    return BoostedTrees(**settings).fit(x, y, torch.ones(ROWS), shape, rounds=rounds, seed=0, threads=1)


TEXT = grown().to_text()


def line(name: str, text: str = TEXT) -> str:
    """The first line of a name that has numbers."""
    found = re.search(rf"^{name}=\S.*$", text, re.MULTILINE)
    assert found is not None
    return found[0]


def with_first(name: str, numbers: list[str]) -> str:
    """The text whose first line of a name begins with other numbers."""
    old = line(name)
    given = old.partition("=")[2].split(" ")
    return TEXT.replace(old, f"{name}={' '.join([*numbers, *given[len(numbers) :]])}", 1)


@pytest.mark.parametrize(
    ("outputs", "task", "settings"),
    [
        (2, "classification", {}),
        (3, "classification", {}),
        (1, "regression", {}),
        (3, "classification", {"fewest_rows": 250}),
    ],
)
def test_predictions_come_back_bit_for_bit(outputs: int, task: str, settings: dict[str, Any]) -> None:
    trees, x = grown(outputs, task, **settings), inputs()
    again = BoostedTrees().from_text(trees.to_text(), spec(outputs, task))
    assert torch.equal(again(x), trees(x))
    assert again.to_text() == trees.to_text()
    # Explanations need the rows of each node, too.
    table = np.random.default_rng(0).standard_normal((20, 4))
    np.testing.assert_array_equal(
        again.booster.predict(table, pred_contrib=True), trees.booster.predict(table, pred_contrib=True)
    )


def test_the_made_trees_split_by_category_and_by_number() -> None:
    assert "cat_threshold=" in TEXT
    assert {"1", "10"} <= set(" ".join(re.findall(r"decision_type=(.*)", TEXT)).split())


EDITS = {
    "a child that is its own parent": with_first("left_child", ["0"]),
    "a child that comes before its parent": with_first("right_child", ["1", "0"]),
    "a node that is left out": with_first("left_child", ["-1"]),
    "a child that is no node": with_first("left_child", ["99"]),
    "a leaf that is no leaf": with_first("left_child", ["-99"]),
    "a leaf with two parents": with_first("right_child", ["1", "-1", "-1", "-1", "-1"]),
    "a column that is none": with_first("split_feature", ["4"]),
    "a negative column": with_first("split_feature", ["-1"]),
    "a decision that is none": with_first("decision_type", ["12"]),
    "a value that is no number": with_first("leaf_value", ["nan"]),
    "an infinite value": with_first("leaf_value", ["1e999"]),
    "a set of categories that is none": TEXT.replace(line("num_cat"), "num_cat=0", 1),
    "boundaries that go back": with_first("cat_boundaries", ["0", "9"]),
    "boundaries beyond the categories": TEXT.replace(line("cat_threshold"), "cat_threshold=1", 1),
    "bits that are too large": with_first("cat_threshold", ["99999999999"]),
    "too many leaves": TEXT.replace(line("num_leaves"), "num_leaves=2000000000", 1),
    "no leaf": TEXT.replace(line("num_leaves"), "num_leaves=0", 1),
    "an array that is too short": TEXT.replace(line("threshold"), "threshold=0", 1),
    "linear leaves": TEXT.replace("is_linear=0", "is_linear=1", 1),
    "a line that is unknown": TEXT.replace("is_linear=0", "is_linear=0\nleaf_coeff=1", 1),
    "a line that is missing": TEXT.replace(line("internal_count") + "\n", "", 1),
    "a line that comes twice": TEXT.replace("num_class=1", "num_class=1\nnum_class=1", 1),
    "more classes": TEXT.replace("num_class=1", "num_class=9", 1),
    "more trees a round": TEXT.replace("num_tree_per_iteration=1", "num_tree_per_iteration=7", 1),
    "more columns": TEXT.replace("max_feature_idx=3", "max_feature_idx=1000000000", 1),
    "another objective": TEXT.replace("objective=binary sigmoid:1", "objective=custom", 1),
    "a mean over the trees": TEXT.replace("label_index=0", "label_index=0\naverage_output", 1),
    "trees that are numbered otherwise": TEXT.replace("Tree=1", "Tree=7", 1),
    "no trees": TEXT.partition("\n\nTree=0")[0] + "\n\nend of trees\n",
    "no end": TEXT.partition("end of trees")[0],
    "letters beyond ASCII": TEXT.replace("Column_0", "Cölumn_0", 1),
    "an integer with a mark": with_first("left_child", ["1_0"]),
    "another file": "import os",
}


@pytest.mark.parametrize("edit", EDITS)
def test_edited_trees_are_refused(edit: str) -> None:
    assert EDITS[edit] != TEXT
    with pytest.raises(ValueError, match="must hold"):
        BoostedTrees().from_text(EDITS[edit], spec())


def test_what_stands_behind_the_trees_decides_nothing() -> None:
    edited = TEXT.replace("[verbose: -1]", "[verbose: 999999999999999999999]").replace("tree_sizes=", "tree_sizes=9")
    x = inputs()
    assert edited != TEXT
    assert torch.equal(BoostedTrees().from_text(edited, spec())(x), BoostedTrees().from_text(TEXT, spec())(x))

"""References made of trees are exported as ONNX tree ensembles, and agree with their model on raw rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import torch

from rarebird.core.checks import DataError
from rarebird.data.dataset import Curves, Dataset, Frame, Splits
from rarebird.experiment.run import run
from rarebird.methods.reference._boosted_nodes import ensemble_of
from rarebird.model.model import Member, Model
from rarebird.model.onnx.file import agreement, write_onnx
from rarebird.model.onnx.tree_graph import tree_graph
from rarebird.recipe.ensemble import Ensemble
from rarebird.recipe.recipe import Recipe
from rarebird.slots.methods import load

pytestmark = pytest.mark.xdist_group("onnx")
TREES = {
    "boosted_trees": {"name": "boosted_trees", "rounds": 12, "leaves": 9, "fewest_rows": 3},
    "extra_trees": {"name": "extra_trees", "rounds": 12},
}
CLASSES = ("a", "b", "c")


def table(n: int, seed: int, classes: int = 3, noise: float = 0.7) -> Dataset:
    """Rows whose class depends on the missing cells, on a column of 60 categories and on one of 4; other seeds have
    other gaps, unknown categories and numbers beyond all seen."""
    rng = np.random.default_rng(seed)
    many, few = rng.integers(0, 60, n), rng.integers(0, 4, n)
    level, gap = rng.normal(size=n), rng.random(n) < 0.3
    score = level * ~gap + 2 * gap + (many % 7 > 3) * 1.5 - (few == 2) * 2 + noise * rng.normal(size=n)
    y = np.digitize(score, [0.5, 2.0][: classes - 1])
    frame = pd.DataFrame(
        {
            "level": np.where(gap, np.nan, level),
            "whole": rng.integers(-3, 4, n).astype(float),
            "many": [f"m{code}" for code in many],
            "few": pd.Series([f"f{code}" for code in few]).where(rng.random(n) > 0.1, None),
        }
    )
    if seed:
        frame.loc[:1, "many"], frame.loc[2, "level"], frame.loc[3, "level"] = "unknown", 1e30, -np.inf
    return Dataset(
        "table", "classification", Frame(frame), np.arange(n), y, CLASSES[:classes], np.arange(n).astype(str)
    )


def recipe(reference: str, **changes: Any) -> Recipe:
    calibration = ["prior_correction", "temperature"]
    common: dict[str, Any] = {
        "kind": "table",
        "network": {"name": "mlp", "width": 8},
        "reference": TREES[reference],
        "folds": 2,
    }
    common |= {"decision": "threshold", "metric": "macro_f1", "calibration": calibration, "steps": 12}
    return Recipe(**(common | changes))


def test_trees_agree_on_missing_cells_and_categories(tmp_path: Path) -> None:
    classes = 2
    model = run(recipe("boosted_trees"), Splits(table(400, 0, classes)), test_share=0).model
    about = write_onnx(model, tmp_path / "model.onnx")
    for n in (1, 500):
        found = agreement(model, tmp_path / "model.onnx", table(max(n, 4), n, classes).take(np.arange(n)))
        assert found.difference < 1e-5
        assert found.labels == found.sets == 1
    assert about["outputs"] == ["probabilities", "label", "members"]
    kinds = [node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node]
    assert kinds.count("TreeEnsembleRegressor") == len(model.members) == 2


def test_networks_and_trees_are_one_file(tmp_path: Path) -> None:
    network = recipe("boosted_trees", folds=0).updated(reference=None, batch_size=32)
    parts = [(0.5, recipe("boosted_trees", folds=0)), (0.3, recipe("extra_trees", folds=0)), (0.2, network)]
    model = run(Ensemble.of(parts, ["class_scale_bias"]), Splits(table(300, 0)), test_share=0).model
    write_onnx(model, tmp_path / "model.onnx")
    found = agreement(model, tmp_path / "model.onnx", table(300, 1))
    assert found.difference < 1e-5
    assert found.labels == 1


def test_trees_predict_a_number_in_its_own_unit(tmp_path: Path) -> None:
    rows = table(300, 0)
    data = replace(rows, task="regression", y=1e5 + 1e4 * rows.y.astype(float), classes=())
    settings = recipe("extra_trees", folds=0).updated(calibration=(), loss="mean_squared", decision="balanced")
    model = run(settings, Splits(data), test_share=0).model
    assert write_onnx(model, tmp_path / "model.onnx")["outputs"] == ["value", "members"]
    other = replace(table(300, 1), task="regression", y=None, classes=())
    assert agreement(model, tmp_path / "model.onnx", other).difference < 1e-5


def test_a_missing_number_takes_the_side_that_lightgbm_takes() -> None:
    """Edited directions: each of LightGBM's own answers for a missing cell must be the arrays'."""
    model = run(recipe("boosted_trees", folds=0), Splits(table(400, 0)), test_share=0).model
    trees: Any = model.members[0].network
    lines = trees.to_text().split("\n")
    turned = ["decision_type=" + " ".join(flip(one) for one in line[14:].split()) if line.startswith("decision_type=")
              else line for line in lines]  # fmt: skip
    other = boosted_trees().from_text("\n".join(turned), model.spec)
    x = model.members[0].prepared.inputs(table(200, 1))
    for one in (trees, other):
        np.testing.assert_allclose(summed(one, x), one(x).numpy(), atol=1e-5)
    assert not torch.equal(trees(x), other(x))


def flip(decision: str) -> str:
    """A decision by numbers with the other direction for missing cells."""
    return decision if int(decision) & 1 else str(int(decision) ^ 2)


def boosted_trees() -> Any:
    return load("reference", "boosted_trees")()


def summed(trees: Any, x: Any) -> np.ndarray:
    """What onnxruntime adds up."""
    columns = trees.tree_columns(x).numpy()
    graph = tree_graph(trees.tree_ensemble(), columns.shape[1])
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    found: np.ndarray = session.run(None, {"columns": columns})[0]
    return found


def test_a_split_by_categories_is_a_chain_of_its_smaller_side() -> None:
    head = "tree\nversion=v4\n\nTree=0\nnum_leaves=2\nnum_cat=1\nsplit_feature=1\nsplit_gain=1\nthreshold=0\n"
    tail = "left_child=-1\nright_child=-2\nleaf_value=-1 1\ncat_boundaries=0 2\ncat_threshold=4294967294 1\n"
    text = f"{head}decision_type=1\n{tail}\n\nend of trees\n"
    found = ensemble_of(text, 1, [40], 1)
    cells = np.array([*range(40)], dtype=np.float32)
    graph = tree_graph(found, 2)
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    sums = session.run(None, {"columns": np.stack([0 * cells, cells], axis=1)})[0][:, 0]
    assert sums.tolist() == [-1.0 if 1 <= code <= 32 else 1.0 for code in range(40)]
    assert len(found.feature) == 8 + 2
    with pytest.raises(DataError, match="numbers as categories"):
        ensemble_of(text.replace("split_feature=1", "split_feature=0"), 1, [40], 1)
    with pytest.raises(DataError, match="zeros as missing"):
        ensemble_of(text.replace("decision_type=1", "decision_type=4"), 1, [40], 1)


def test_trees_of_an_edited_file_are_refused() -> None:
    model = run(recipe("extra_trees", folds=0), Splits(table(200, 0)), test_share=0).model
    trees: Any = model.members[0].network
    ensemble = trees.tree_ensemble()
    with pytest.raises(DataError, match="one tree after the other"):
        tree_graph(replace(ensemble, roots=ensemble.roots[::-1]), 4)


def test_trees_on_series_are_refused_with_what_to_do(tmp_path: Path) -> None:
    n = 24
    values = np.random.default_rng(0).normal(size=(n, 1, 16)).astype(np.float32)
    source = Curves(values, np.full(n, 16))
    places = np.arange(n)
    data = Dataset("series", "classification", source, places, places % 2, ("a", "b"), places.astype(str))
    quant = {"reference": {"name": "quant", "rounds": 2}, "network": {"name": "cnn", "width": 2}}
    settings = Recipe(kind="series", steps=2, folds=2, **quant)
    with pytest.raises(DataError, match=r"quant.*distil"):
        write_onnx(run(settings, Splits(data), test_share=0).model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_a_model_that_reads_its_training_rows_is_refused(tmp_path: Path) -> None:
    class Reads(torch.nn.Module):
        def to_arrays(self) -> dict[str, np.ndarray]:
            return {}

    model: Model = run(recipe("extra_trees", folds=0), Splits(table(60, 0)), test_share=0).model
    members: list[Member] = [replace(model.members[0], network=Reads())]
    with pytest.raises(DataError, match="reads its training rows"):
        write_onnx(replace(model, members=members), tmp_path / "model.onnx")

"""Boosted trees: LightGBM's own answers, kept as text, on the same way as a network."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import torch

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset, Frame, Splits
from rarebird.data.spec import InputSpec
from rarebird.experiment.run import run
from rarebird.methods.reference.boosted_trees import BoostedTrees, Trees, cells
from rarebird.model.model import load
from rarebird.recipe.recipe import Recipe


def data(n: int = 300, classes: int = 2, seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    frame = pd.DataFrame(
        {"a": np.where(rng.random(n) < 0.1, np.nan, rng.normal(y, 1)), "b": rng.choice(["x", "y", "z"], n)}
    )
    labels = tuple(f"c{code}" for code in range(classes))
    return Dataset("table", "classification", Frame(frame), np.arange(n), y, labels, np.arange(n).astype(str))


def inputs(n: int = 200) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randn(n, 3, generator=generator)
    missing = (torch.rand(n, 3, generator=generator) < 0.2).float()
    codes = (numbers[:, 0] + 0.3 * torch.randn(n, generator=generator) > 0).long()
    x = {
        "numbers": numbers * (1 - missing),
        "missing": missing,
        "categories": torch.randint(4, (n, 1), generator=generator),
    }
    return x, torch.eye(2)[codes]


SPEC = InputSpec(
    kind="table", task="classification", n_outputs=2, n_numbers=3, bins=((0.0, 1.0),) * 3, cardinalities=(4,)
)


def trees(rounds: int = 20, weight: torch.Tensor | None = None, **settings: Any) -> Trees:
    x, y = inputs()
    weight = torch.ones(len(y)) if weight is None else weight
    return BoostedTrees(**settings).fit(x, y, weight, SPEC, rounds=rounds, seed=0, threads=1)


def test_cells_have_holes_where_numbers_are_missing() -> None:
    x, _ = inputs()
    table = cells(x)
    assert table.shape == (200, 4)
    np.testing.assert_array_equal(np.isnan(table[:, :3]), x["missing"].numpy() > 0)


def test_logits_are_lightgbms_scores() -> None:
    x, y = inputs()
    model = lightgbm.LGBMClassifier(
        n_estimators=20,
        learning_rate=0.05,
        num_leaves=15,
        min_child_samples=10,
        reg_lambda=1.0,
        min_child_weight=1e-3,
        n_jobs=1,
        verbose=-1,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's words on names of columns
        model.fit(cells(x)[:, :3], y.argmax(dim=1).numpy())
        theirs = model.predict_proba(cells(x)[:, :3])
    spec = SPEC.model_copy(update={"cardinalities": ()})
    numbers = {**x, "categories": torch.zeros(len(y), 0, dtype=torch.int64)}
    ours = BoostedTrees(column_share=1.0).fit(numbers, y, torch.ones(len(y)), spec, rounds=20, seed=0, threads=1)
    np.testing.assert_allclose(torch.softmax(ours(numbers), dim=1).numpy(), theirs, atol=1e-5)


def test_a_round_more_is_a_tree_more_and_progress_is_called() -> None:
    x, y = inputs()
    seen: list[float] = []
    ended = BoostedTrees().fit(
        x,
        y,
        torch.ones(len(y)),
        SPEC,
        rounds=10,
        seed=0,
        threads=1,
        progress=lambda share: seen.append(share) or share >= 0.5,
    )
    assert seen == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert ended.booster.current_iteration() == 5
    torch.testing.assert_close(ended(x), trees(rounds=5)(x))


def test_texts_come_back_and_texts_of_other_data_are_refused() -> None:
    x, _ = inputs()
    grown = trees()
    torch.testing.assert_close(BoostedTrees().from_text(grown.to_text(), SPEC)(x), grown(x), rtol=0, atol=0)
    with pytest.raises(ValueError, match="LightGBM's text format"):
        BoostedTrees().from_text("import os", SPEC)
    with pytest.raises(ValueError, match="know the table's columns"):
        BoostedTrees().from_text(grown.to_text(), SPEC.model_copy(update={"n_numbers": 4}))
    with pytest.raises(ValueError, match="an output per class"):
        BoostedTrees().from_text(grown.to_text(), SPEC.model_copy(update={"n_outputs": 3}))


@pytest.mark.parametrize("classes", [2, 4])
def test_a_run_with_the_reference_predicts_the_same_after_saving_and_repeats(classes: int, tmp_path: Path) -> None:
    recipe = Recipe(
        kind="table", network="mlp", reference={"name": "boosted_trees", "rounds": 15}, folds=3, seed=4, threads=1
    )
    outcome = run(recipe, Splits(data(classes=classes)))
    assert outcome.recipe.steps == 15
    test = outcome.splits.test
    assert test is not None
    outcome.model.save(tmp_path / "model")
    assert (tmp_path / "model" / "member_2.txt").is_file()
    loaded = load(tmp_path / "model")
    np.testing.assert_allclose(loaded.outputs(test), outcome.model.outputs(test), rtol=1e-9)
    again = run(Recipe.from_toml(outcome.recipe.to_toml()), Splits(data(classes=classes)))
    np.testing.assert_array_equal(again.model.outputs(test), outcome.model.outputs(test))
    assert outcome.result.test is not None
    assert outcome.result.test.metrics["accuracy"].value > 1.2 / classes


def test_a_model_whose_text_is_changed_is_refused(tmp_path: Path) -> None:
    recipe = Recipe(
        kind="table", network="mlp", reference={"name": "boosted_trees", "rounds": 3}, folds=0, holdout=0.3, threads=1
    )
    run(recipe, Splits(data())).model.save(tmp_path / "model")
    (tmp_path / "model" / "member_0.txt").write_text("no trees", encoding="utf-8")
    with pytest.raises(DataError, match="no model that can be read"):
        load(tmp_path / "model")


def test_values_are_learned_in_their_own_unit() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=400)})
    y = 1000 + 50 * frame["a"].to_numpy()
    rows = Dataset("table", "regression", Frame(frame), np.arange(400), y, (), np.arange(400).astype(str))
    recipe = Recipe(
        kind="table", network="mlp", loss="mean_squared", metric="r2", reference="boosted_trees", folds=3, threads=1
    )
    outcome = run(recipe, Splits(rows))
    assert outcome.result.test is not None
    assert outcome.result.test.metrics["r2"].value > 0.9

"""Extra trees: scikit-learn's own answers, kept as JSON that holds nothing but trees, on the same way as a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset, Frame, Splits
from rarebird.experiment.run import run
from rarebird.methods.reference._forest import LEAST_SHARE, Forest, columns_of
from rarebird.methods.reference.extra_trees import ExtraTrees
from rarebird.model.model import load
from rarebird.recipe.recipe import Recipe
from rarebird.slots.tree_ensembles import rounded_down
from tests.methods.reference.made_forests import SPEC, VALUES, grown, inputs


def theirs(codes: np.ndarray, rounds: int = 7, **settings: Any) -> ExtraTreesClassifier:
    return ExtraTreesClassifier(**{"n_estimators": rounds, "min_samples_leaf": 2, "random_state": 3} | settings)


def shares(forest: Forest, x: dict[str, torch.Tensor]) -> np.ndarray:
    return torch.softmax(forest(x).double(), dim=1).numpy()


def clipped(probabilities: np.ndarray) -> np.ndarray:
    least = probabilities.clip(LEAST_SHARE)
    return least / least.sum(axis=1, keepdims=True)


def test_columns_are_numbers_marks_and_categories() -> None:
    x, _ = inputs()
    columns = columns_of(x, SPEC)
    assert columns.shape == (150, 3 + 3 + 4 + 1)
    np.testing.assert_array_equal(columns[:, :3], x["numbers"])
    np.testing.assert_array_equal(columns[:, 3:6], x["missing"])
    np.testing.assert_array_equal(columns[:, 6:10].argmax(axis=1), x["categories"][:, 0])
    np.testing.assert_array_equal(columns[:, 6:10].sum(axis=1), 1)
    # A category of many values goes by its code, which is its rank in frequency.
    np.testing.assert_array_equal(columns[:, 10], x["categories"][:, 1])
    nothing = {
        "numbers": torch.zeros(5, 0),
        "missing": torch.zeros(5, 0),
        "categories": torch.zeros(5, 0, dtype=torch.int64),
    }
    bare = SPEC.model_copy(update={"n_numbers": 0, "cardinalities": (), "bins": ()})
    np.testing.assert_array_equal(columns_of(nothing, bare), np.zeros((5, 1)))


@pytest.mark.parametrize("rounds", [7, 20, 45])
def test_shares_are_scikit_learns(rounds: int) -> None:
    x, codes = inputs()
    fresh, _ = inputs(60, seed=1)
    model = theirs(codes, rounds).fit(columns_of(x, SPEC), codes)
    ours = grown(rounds)
    for rows in (x, fresh):
        np.testing.assert_allclose(shares(ours, rows), clipped(model.predict_proba(columns_of(rows, SPEC))), atol=1e-6)


def test_thresholds_in_single_precision_keep_every_row_on_its_side() -> None:
    rng = np.random.default_rng(0)
    exact = rng.normal(size=200).astype(np.float32)
    values = np.concatenate(
        [exact.astype(np.float64), exact + 1e-12, exact - 1e-12, rng.normal(size=200), [0.0, -1e-60, 1e-60]]
    )
    found = rounded_down(values)
    assert found.dtype == np.float32
    assert (found <= values).all()
    assert (np.nextafter(found, np.float32(np.inf)) > values).all()
    for row in (exact, np.nextafter(exact, np.float32(np.inf))):
        np.testing.assert_array_equal(row[:, None] <= found, row[:, None].astype(np.float64) <= values)


def test_settings_reach_the_trees() -> None:
    x, codes = inputs()
    model = theirs(codes, min_samples_leaf=9, max_features=0.5).fit(columns_of(x, SPEC), codes)
    ours = grown(fewest_rows=9, column_share=0.5)
    np.testing.assert_allclose(shares(ours, x), clipped(model.predict_proba(columns_of(x, SPEC))), atol=1e-6)


def test_weights_reach_the_trees() -> None:
    x, codes = inputs()
    weight = np.where(codes == 1, 5.0, 0.5)
    model = theirs(codes).fit(columns_of(x, SPEC), codes, sample_weight=weight)
    np.testing.assert_allclose(
        shares(grown(weight=weight), x), clipped(model.predict_proba(columns_of(x, SPEC))), atol=1e-6
    )
    assert shares(grown(weight=weight), x)[:, 1].mean() > shares(grown(), x)[:, 1].mean() + 0.1


def test_values_are_the_mean_of_the_leaves() -> None:
    x, codes = inputs()
    y = codes + 0.1 * x["numbers"][:, 2].numpy()
    model = ExtraTreesRegressor(n_estimators=7, min_samples_leaf=2, random_state=3).fit(columns_of(x, VALUES), y)
    ours = ExtraTrees().fit(x, torch.from_numpy(y)[:, None], torch.ones(150), VALUES, rounds=7, seed=3, threads=1)
    assert ours(x).shape == (150, 1)
    np.testing.assert_allclose(ours(x)[:, 0].numpy(), model.predict(columns_of(x, VALUES)), atol=1e-5)


def test_a_class_without_rows_has_the_least_share() -> None:
    x, codes = inputs()
    target = torch.eye(3)[np.where(codes == 1, 0, codes)]
    forest = ExtraTrees().fit(x, target, torch.ones(150), SPEC, rounds=5, seed=0, threads=1)
    found = shares(forest, x)
    assert (found[:, 1] < 1.1 * LEAST_SHARE).all()
    assert (found[:, 1] > 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_rows_are_answered_one_by_one_as_together() -> None:
    x, _ = inputs()
    forest = grown()
    for row in range(5):
        alone = forest({name: part[row : row + 1] for name, part in x.items()})
        assert torch.equal(alone, forest(x)[row : row + 1])


@pytest.mark.parametrize(("rounds", "ends_at", "grown_trees"), [(7, 7, 7), (45, 45, 45), (45, 1, 1), (45, 21, 31)])
def test_progress_is_called_for_each_tree_and_an_end_holds_after_its_chunk(
    rounds: int, ends_at: int, grown_trees: int
) -> None:
    x, codes = inputs()
    seen: list[float] = []
    forest = ExtraTrees().fit(
        x,
        torch.eye(3)[codes],
        torch.ones(150),
        SPEC,
        rounds=rounds,
        seed=3,
        threads=1,
        progress=lambda share: seen.append(share) or share * rounds > ends_at - 0.5,  # type: ignore[func-returns-value]
    )
    trees = len(forest.arrays["roots"])
    assert trees == grown_trees
    assert seen == pytest.approx([(place + 1) / rounds for place in range(trees)])
    # An ended forest is the one of so many rounds, so that a replay can repeat it.
    assert torch.equal(forest(x), grown(trees)(x))


def test_another_seed_is_another_forest() -> None:
    x, _ = inputs()
    assert torch.equal(grown(seed=1)(x), grown(seed=1)(x))
    assert not torch.equal(grown(seed=1)(x), grown(seed=2)(x))


def test_leaves_grow_with_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rarebird.methods.reference._growth.ROWS_PER_LEAF", 15)
    x, codes = inputs()
    model = theirs(codes, min_samples_leaf=10).fit(columns_of(x, SPEC), codes)
    np.testing.assert_allclose(shares(grown(), x), clipped(model.predict_proba(columns_of(x, SPEC))), atol=1e-6)


def rows(n: int = 200, task: str = "classification", seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    frame = pd.DataFrame(
        {"a": np.where(rng.random(n) < 0.1, np.nan, rng.normal(2 * y, 1)), "b": rng.choice(["x", "猫", "z"], n)}
    )
    if task == "regression":
        return Dataset("table", task, Frame(frame), np.arange(n), 1000 + 50.0 * y, (), np.arange(n).astype(str))  # type: ignore[arg-type]
    return Dataset("table", "classification", Frame(frame), np.arange(n), y, ("n", "猫", "y"), np.arange(n).astype(str))


def recipe(task: str = "classification", **changes: Any) -> Recipe:
    values = {"loss": "mean_squared", "metric": "r2"} if task == "regression" else {"calibration": ["temperature"]}
    reference = {"name": "extra_trees", "rounds": 30}
    return Recipe(
        **{"kind": "table", "network": "mlp", "reference": reference, "folds": 2, "seed": 4, "threads": 1}
        | values
        | changes
    )


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_run_predicts_the_same_after_saving_and_repeats(task: str, tmp_path: Path) -> None:
    outcome = run(recipe(task), Splits(rows(task=task)))
    assert outcome.recipe.steps == 30  # type: ignore[union-attr]
    fresh = rows(80, task, seed=1)
    outcome.model.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.outputs(fresh), outcome.model.outputs(fresh))
    again = run(Recipe.from_toml(outcome.recipe.to_toml()), Splits(rows(task=task)))
    np.testing.assert_array_equal(again.model.outputs(fresh), outcome.model.outputs(fresh))
    assert outcome.result.test is not None
    scores = outcome.result.test.metrics
    assert scores["r2" if task == "regression" else "accuracy"].value > 0.5


def test_an_early_end_is_recorded_and_replays() -> None:
    chosen = recipe(steps=50, folds=2)
    one = run(chosen, Splits(rows()), test_share=0, progress=lambda share, what: share > 0)
    # One network of the first chunk's trees, whatever was to follow.
    assert [len(member.network.arrays["roots"]) for member in one.model.members] == [1]  # type: ignore[union-attr]
    two = run(Recipe.from_toml(one.recipe.to_toml()), Splits(rows()), test_share=0)
    assert two.recipe == one.recipe
    np.testing.assert_array_equal(two.model.outputs(rows(50, seed=1)), one.model.outputs(rows(50, seed=1)))


def test_a_model_whose_arrays_are_changed_is_refused(tmp_path: Path) -> None:
    run(recipe(steps=3, folds=0, holdout=0.3), Splits(rows()), test_share=0).model.save(tmp_path / "model")
    path = tmp_path / "model" / "weights.safetensors"
    tensors = load_file(path)
    save_file(tensors | {"0.left": torch.zeros_like(tensors["0.left"])}, path)
    with pytest.raises(DataError, match=r"no model that can be read: `a child comes after its parent` must hold"):
        load(tmp_path / "model")

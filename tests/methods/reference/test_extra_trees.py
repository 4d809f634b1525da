"""Extra trees: scikit-learn's own answers, kept as JSON that holds nothing but trees, on the same way as a network."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset, Frame, Splits
from rarebird.data.spec import InputSpec
from rarebird.experiment.run import run
from rarebird.methods.reference.extra_trees import LEAST_SHARE, ExtraTrees, Forest, _floor32, columns_of
from rarebird.model.model import load
from rarebird.recipe.recipe import Recipe

MANY = 40
SPEC = InputSpec(
    kind="table", task="classification", n_outputs=3, n_numbers=3, bins=((0.0, 1.0),) * 3, cardinalities=(4, MANY)
)
VALUES = SPEC.model_copy(update={"task": "regression", "n_outputs": 1})


def inputs(n: int = 150, seed: int = 0) -> tuple[dict[str, torch.Tensor], np.ndarray]:
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.randn(n, 3, generator=generator)
    missing = (torch.rand(n, 3, generator=generator) < 0.2).float()
    codes = (numbers[:, 0] + 0.5 * torch.randn(n, generator=generator)).ge(0).long() + (numbers[:, 1] > 1).long()
    categories = torch.stack(
        [torch.randint(4, (n,), generator=generator), torch.randint(MANY, (n,), generator=generator)], dim=1
    )
    return {"numbers": numbers * (1 - missing), "missing": missing, "categories": categories}, codes.numpy()


def grown(rounds: int = 7, *, n: int = 150, weight: np.ndarray | None = None, seed: int = 3, **settings: Any) -> Forest:
    x, codes = inputs(n)
    weights = torch.ones(n) if weight is None else torch.from_numpy(weight).float()
    return ExtraTrees(**settings).fit(x, torch.eye(3)[codes], weights, SPEC, rounds=rounds, seed=seed, threads=1)


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
    found = _floor32(values)
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


@pytest.mark.parametrize(("rounds", "ends_at"), [(7, 7), (45, 45), (45, 1), (45, 21)])
def test_each_tree_is_told_of_once_and_an_end_holds_after_its_chunk(rounds: int, ends_at: int) -> None:
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
    assert trees == min(rounds, -(-ends_at // 20) * 20)
    assert seen == pytest.approx([(place + 1) / rounds for place in range(trees)])
    # An ended forest is the one of so many rounds, so that a replay can repeat it.
    assert torch.equal(forest(x), grown(trees)(x))


def test_another_seed_is_another_forest() -> None:
    x, _ = inputs()
    assert torch.equal(grown(seed=1)(x), grown(seed=1)(x))
    assert not torch.equal(grown(seed=1)(x), grown(seed=2)(x))


def test_leaves_grow_with_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rarebird.methods.reference.extra_trees.ROWS_PER_LEAF", 15)
    x, codes = inputs()
    model = theirs(codes, min_samples_leaf=10).fit(columns_of(x, SPEC), codes)
    np.testing.assert_allclose(shares(grown(), x), clipped(model.predict_proba(columns_of(x, SPEC))), atol=1e-6)


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


def _first_inner(plain: dict[str, Any]) -> int:
    return next(place for place, feature in enumerate(plain["feature"]) if feature >= 0)


def put(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """`value` in an array's place at the first node that splits."""

    def change(plain: dict[str, Any]) -> None:
        plain[name][_first_inner(plain)] = value

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
    one = run(chosen, Splits(rows()), test_share=0, report=lambda progress, what: progress > 0.01)
    # One network of the first chunk's trees, whatever was to follow.
    assert [len(member.network.arrays["roots"]) for member in one.model.members] == [20]  # type: ignore[union-attr]
    two = run(Recipe.from_toml(one.recipe.to_toml()), Splits(rows()), test_share=0)
    assert two.recipe == one.recipe
    np.testing.assert_array_equal(two.model.outputs(rows(50, seed=1)), one.model.outputs(rows(50, seed=1)))


def test_a_model_whose_text_is_changed_is_refused(tmp_path: Path) -> None:
    run(recipe(steps=3, folds=0, holdout=0.3), Splits(rows()), test_share=0).model.save(tmp_path / "model")
    path = tmp_path / "model" / "member_0.txt"
    path.write_text(path.read_text(encoding="utf-8").replace('"threshold":[', '"threshold":[NaN,'), encoding="utf-8")
    with pytest.raises(DataError, match="no model that can be read"):
        load(tmp_path / "model")

"""An ensemble on the whole way: the mean of what its members say, calibrated once more, saved, and repeated bit for
bit."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rarebird.core.checks import DataError
from rarebird.core.clock import Clock
from rarebird.data.dataset import Dataset, Frame, Splits
from rarebird.data.split import fold_of
from rarebird.experiment.run import Outcome, run
from rarebird.model.chain import LEAST
from rarebird.model.files import DESCRIPTION
from rarebird.model.model import load
from rarebird.recipe import ensemble
from rarebird.recipe.ensemble import Ensemble
from rarebird.recipe.recipe import Recipe

CLASSES = ("no", "猫", "yes")
WEIGHTS = (0.5, 0.2, 0.3)


def rows(task: str = "classification", n: int = 150, seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    y = rng.choice(3, n, p=[0.6, 0.3, 0.1])
    frame = Frame(pd.DataFrame({"a": rng.normal(y, 1), "b": rng.normal(size=n), "c": rng.choice(["u", "v"], n)}))
    if task == "regression":
        return Dataset("table", task, frame, np.arange(n), 100.0 + 5 * y, (), np.arange(n).astype(str))  # type: ignore[arg-type]
    return Dataset("table", "classification", frame, np.arange(n), y, CLASSES, np.arange(n).astype(str))


def members(task: str = "classification", weights: tuple[float, ...] = WEIGHTS) -> list[dict[str, Any]]:
    """Two small perceptrons and boosted trees."""
    theirs = {"loss": "mean_squared"} if task == "regression" else {"calibration": ["prior_correction", "temperature"]}
    plain = {
        "kind": "table",
        "network": {"name": "mlp", "width": 8, "depth": 1},
        "steps": 10,
        "batch_size": 16,
        **theirs,
    }
    others = [
        {},
        {"seed": 1000} | ({} if task == "regression" else {"loss": "weighted"}),
        {"reference": "boosted_trees"},
    ]
    return [plain | other | {"weight": weight} for other, weight in zip(others, weights, strict=False)]


def whole(task: str = "classification", **changes: Any) -> Ensemble:
    fields = {"kind": "table", "folds": 2, "members": members(task), "metric": "macro_f1", "decision": "threshold"}
    if task == "regression":
        fields |= {"metric": "r2", "decision": "argmax"}
    return Ensemble(**fields | changes)


@cache
def trained(task: str = "classification", calibrated: bool = True) -> Outcome:
    """One run for all tests that only look."""
    calibration = ["temperature"] if calibrated and task == "classification" else []
    return run(whole(task, calibration=calibration), Splits(rows(task)))


def said(outcome: Outcome, place: int, data: Dataset) -> np.ndarray:
    """The mean of what one recipe's networks say."""
    return np.mean([member.predict(data, "cpu") for member in outcome.model.members if member.place == place], axis=0)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_mean_is_the_members_weighted_mean(task: str) -> None:
    outcome, fresh = trained(task, calibrated=False), rows(task, 40, seed=1)
    expected = sum(weight * said(outcome, place, fresh) for place, weight in enumerate(WEIGHTS))
    assert len(outcome.model.members) == 6
    np.testing.assert_allclose(outcome.model.outputs(fresh), expected, rtol=1e-12)
    assert np.ptp([said(outcome, place, fresh).sum(axis=0)[0] for place in range(3)]) > 0


def held_out_mean(outcome: Outcome) -> np.ndarray:
    """By hand, the weighted mean of each recipe's prediction by the network that never saw the row."""
    train, model = outcome.splits.train, outcome.model
    mean = np.zeros((len(train), 3))
    for place, (weight, recipe) in enumerate(ensemble.members(outcome.recipe)):
        fold = fold_of(train, 2, recipe.seed)
        own = [member for member in model.members if member.place == place]
        for part, member in enumerate(own):
            mean[fold == part] += weight * member.predict(train.take(fold == part), "cpu")
    return mean


def test_held_out_rows_are_the_weighted_mean_of_their_own_networks() -> None:
    """Without calibrations that are fitted on held-out rows, which other parts' rows would fit otherwise."""
    plain = [one | {"calibration": ["prior_correction"]} for one in members()]
    outcome = run(whole(members=plain, calibration=[]), Splits(rows()))
    assert outcome.out_of_fold is not None
    np.testing.assert_allclose(outcome.out_of_fold, held_out_mean(outcome), atol=1e-6)


def test_the_calibration_of_the_mean_is_applied() -> None:
    plain, outcome, fresh = trained(calibrated=False), trained(), rows(n=40, seed=1)
    ((name, fitted),) = outcome.model.calibrations
    assert name == "temperature"
    assert fitted.temperature != 1  # type: ignore[attr-defined]
    powered = plain.model.outputs(fresh).clip(LEAST) ** (1 / fitted.temperature)  # type: ignore[attr-defined]
    expected = powered / powered.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(outcome.model.outputs(fresh), expected, rtol=1e-9)


def test_a_calibration_of_the_mean_is_fitted_to_held_out_rows() -> None:
    outcome = trained()
    method, train = outcome.recipe.calibration[0], outcome.splits.train
    logits = np.log(held_out_mean(trained(calibrated=False)).clip(LEAST))
    expected = method.fit(logits, train.codes, train.weights, None)
    assert outcome.model.calibrations[0][1].temperature == pytest.approx(expected.temperature, rel=1e-6)  # type: ignore[attr-defined]


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_loaded_model_is_the_saved_one_bit_for_bit(task: str, tmp_path: Path) -> None:
    model, fresh = trained(task).model, rows(task, 60, seed=2)
    model.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.outputs(fresh), model.outputs(fresh))
    np.testing.assert_array_equal(loaded.labels(loaded.outputs(fresh)), model.labels(model.outputs(fresh)))
    assert loaded.recipe == model.recipe
    assert [(member.place, member.weight) for member in loaded.members] == [
        (member.place, member.weight) for member in model.members
    ]


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_recorded_recipe_repeats_the_run(task: str) -> None:
    one, fresh = trained(task), rows(task, 60, seed=2)
    two = run(ensemble.of_toml(one.recipe.to_toml()), Splits(rows(task)))
    np.testing.assert_array_equal(two.model.outputs(fresh), one.model.outputs(fresh))
    np.testing.assert_array_equal(two.out_of_fold, one.out_of_fold)
    assert two.recipe == one.recipe
    assert two.result.test == one.result.test
    assert two.result.validation == one.result.validation


def test_a_member_of_no_weight_says_nothing() -> None:
    """Of weights 1 and nearly 0, what the heavy one says alone."""
    chosen = whole(members=members(weights=(1.0, 1e-13)), calibration=[])
    outcome, fresh = run(chosen, Splits(rows()), test_share=0), rows(n=40, seed=1)
    np.testing.assert_allclose(outcome.model.outputs(fresh), said(outcome, 0, fresh), atol=1e-12)
    assert not np.allclose(outcome.model.outputs(fresh), said(outcome, 1, fresh), atol=1e-3)
    alone = run(ensemble.members(chosen)[0][1].updated(folds=2), Splits(rows()), test_share=0)
    np.testing.assert_allclose(outcome.model.outputs(fresh), alone.model.outputs(fresh), atol=1e-12)


def test_weights_are_relative() -> None:
    small, fresh = [member | {"weight": member["weight"] / 7} for member in members()], rows(n=40, seed=1)
    outcome = run(whole(members=small, calibration=[]), Splits(rows()))
    np.testing.assert_allclose(outcome.model.outputs(fresh), trained(calibrated=False).model.outputs(fresh), rtol=1e-12)


def test_the_same_member_twice_is_that_member() -> None:
    fresh = rows(n=40, seed=1)
    twice = run(whole(members=members()[:1] * 2, calibration=[]), Splits(rows()))
    once = run(whole(members=members()[:1]), Splits(rows()))
    np.testing.assert_allclose(twice.model.outputs(fresh), once.model.outputs(fresh), rtol=1e-12)


def test_a_hold_out_is_the_same_for_all_members() -> None:
    outcome = run(whole(folds=0, holdout=0.3), Splits(rows()), test_share=0)
    assert outcome.out_of_fold is not None
    held = np.isfinite(outcome.out_of_fold).all(axis=1)
    assert held.sum() == pytest.approx(0.3 * 150, abs=2)
    np.testing.assert_allclose(outcome.out_of_fold[held].sum(axis=1), 1)


def test_an_early_end_keeps_the_trained_members_and_replays() -> None:
    one = run(whole(), Splits(rows()), progress=lambda share, what: "member 2" in what)
    assert len(one.recipe.members) == 2  # type: ignore[union-attr]
    # The first member has both its networks, the second the one that was ended.
    assert [member.place for member in one.model.members] == [0, 0, 1]
    two, fresh = run(ensemble.of_toml(one.recipe.to_toml()), Splits(rows())), rows(n=40, seed=1)
    np.testing.assert_array_equal(two.model.outputs(fresh), one.model.outputs(fresh))
    assert two.recipe == one.recipe


def test_members_share_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps are laid out for every member, however little time there is."""
    # A look at the clock takes a millisecond, and nothing else does: a busy machine changes nothing.
    ticks = itertools.count()
    monkeypatch.setattr(time, "monotonic", lambda: next(ticks) * 1e-3)
    open_ = [{name: value for name, value in member.items() if name != "steps"} | {"epochs": 1} for member in members()]
    outcome = run(whole(members=open_), Splits(rows()), clock=Clock(0.1))
    assert all(member.steps >= 1 for member in outcome.recipe.members)  # type: ignore[union-attr]
    assert len(outcome.model.members) == 6


def test_rows_of_another_kind_are_refused() -> None:
    series = Ensemble(kind="series", members=[{"kind": "series", "network": "rnn"}])
    with pytest.raises(DataError, match="for data of kind 'series', but data holds data of kind 'table'"):
        run(series, Splits(rows()))


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("members", 0, "recipe"), 3, "a network's recipe is one of the model's recipes"),
        (("members", 5, "recipe"), -1, "recipe >= 0"),
        (("members", 0, "recipe"), 2, "a reference has its own text"),
        (("members", 0, "weight"), 0, "weight > 0"),
        (("members", 4, "recipe"), 0, "weights are those of the network"),
        (("recipe", "members"), [], "members"),
        (("recipe", "members", 0, "weight"), -1, "weight > 0"),
        (("recipe", "members", 0, "kind"), "series", "kind"),
        (("recipe", "members", 2, "reference"), "extra_trees", "Expecting value"),
        (("calibrations", 0, "name"), "focal", "calibration has no method"),
        (("calibrations", 0, "fitted", "temperature"), 0, "temperature"),
        (("calibrations", 0), {"name": "prior_correction", "fitted": {"shift": [0.0, 1.0]}}, "one shift per class"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(
    keys: tuple[Any, ...], value: Any, message: str, tmp_path: Path
) -> None:
    trained().model.save(tmp_path / "model")
    path = tmp_path / "model" / DESCRIPTION
    plain = json.loads(path.read_text(encoding="utf-8"))
    inner = plain
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    path.write_text(json.dumps(plain), encoding="utf-8")
    with pytest.raises(DataError, match=message):
        load(tmp_path / "model")


def test_calibrations_of_values_are_refused(tmp_path: Path) -> None:
    trained("regression").model.save(tmp_path / "model")
    path = tmp_path / "model" / DESCRIPTION
    plain = json.loads(path.read_text(encoding="utf-8"))
    plain["calibrations"] = [{"name": "temperature", "fitted": {"temperature": 2.0}}]
    path.write_text(json.dumps(plain), encoding="utf-8")
    with pytest.raises(DataError, match="calibrations are for classes"):
        load(tmp_path / "model")


def test_sample_weights_reach_the_mean() -> None:
    data = rows()
    heavy = replace(data, weight=np.where(data.codes == 2, 4.0, 1.0))
    outcome, fresh = run(whole(), Splits(heavy)), rows(n=200, seed=1)
    assert outcome.model.outputs(fresh)[:, 2].mean() > trained().model.outputs(fresh)[:, 2].mean() + 0.05
    assert isinstance(ensemble.members(outcome.recipe)[0][1], Recipe)

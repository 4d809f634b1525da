"""The experiment as a whole: probabilities answer to the natural prior, runs repeat, and an early end keeps what is
there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from rarebird.core.checks import DataError
from rarebird.core.clock import Clock
from rarebird.data.dataset import Dataset, Frame, Pixels, Splits
from rarebird.experiment.run import run
from rarebird.model.model import load
from rarebird.recipe.recipe import Recipe


def rows(n: int = 400, share: float = 0.15, seed: int = 0, **fields: object) -> Dataset:
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < share).astype(np.int64)
    frame = pd.DataFrame({"a": rng.normal(1.5 * y, 1), "b": rng.normal(size=n)})
    return Dataset(
        "table", "classification", Frame(frame), np.arange(n), y, ("no", "yes"), np.arange(n).astype(str), **fields
    )  # type: ignore[arg-type]


def recipe(**changes: object) -> Recipe:
    plain: dict[str, object] = {
        "kind": "table",
        "network": {"name": "mlp", "width": 32, "depth": 2},
        "calibration": ["prior_correction", "temperature"],
        "optimizer": {"name": "adamw", "learning_rate": 3e-3},
        "steps": 150,
        "batch_size": 64,
        "folds": 2,
    }
    return Recipe(**(plain | changes))


@pytest.mark.parametrize(
    "remedy",
    [{"loss": "weighted"}, {"loss": "logit_adjusted"}, {"loss": "focal"}, {"batch_sampling": "class_balanced"}],
    ids=lambda remedy: "-".join(remedy.values()),
)
def test_probabilities_answer_to_the_natural_prior_whatever_bent_it(remedy: dict[str, str]) -> None:
    outcome = run(recipe(**remedy), Splits(rows(), test=rows(2000, seed=1)))
    test = outcome.splits.test
    assert test is not None
    mean = outcome.model.outputs(test)[:, 1].mean()
    assert mean == pytest.approx(test.codes.mean(), abs=0.04)
    plain = run(recipe(), Splits(rows(), test=test)).result.test
    assert plain is not None
    assert outcome.result.test is not None
    bent, straight = (scores.metrics["log_loss"].value for scores in (outcome.result.test, plain))
    assert bent == pytest.approx(straight, abs=0.03)


def test_bending_twice_is_corrected_twice() -> None:
    outcome = run(recipe(loss="weighted", batch_sampling="class_balanced"), Splits(rows()), test_share=0)
    (_, correction), _ = outcome.model.members[0].calibrations
    shift = np.diff(correction.shift)[0]  # type: ignore[attr-defined]
    # Balanced twice: each time by the ratio of the counts, about log(85 / 15).
    assert shift == pytest.approx(-2 * np.log(0.85 / 0.15), abs=0.5)


def test_an_early_end_keeps_the_trained_networks() -> None:
    calls = 0

    def stop_in_the_second_fold(progress: float, what: str) -> bool:
        nonlocal calls
        calls += 1
        return progress > 0.4

    outcome = run(recipe(folds=4), Splits(rows(), test=rows(100, seed=2)), progress=stop_in_the_second_fold)
    assert calls > 0
    assert len(outcome.model.members) == 2
    assert outcome.out_of_fold is not None
    assert 0.3 < np.isnan(outcome.out_of_fold[:, 0]).mean() < 0.7
    assert outcome.result.test is not None
    assert any("ended early" in note for note in outcome.result.notes)


def test_a_relaid_recipe_repeats_every_fold() -> None:
    relaid = (((20, 60), (30, 80)), ((10, 40),))
    one = run(recipe(relaid=relaid), Splits(rows()), test_share=0)
    two = run(one.recipe, Splits(rows()), test_share=0)
    assert one.recipe.relaid == relaid
    assert [entry["step"] for entry in one.result.history if entry["fold"] == 0][-1] == 80
    assert one.result.history == two.result.history
    assert one.result.validation == two.result.validation


def test_a_saved_model_gives_the_same_numbers(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    outcome = run(recipe(steps=20, decision="threshold", metric="macro_f1"), Splits(rows()), test_share=0)
    outcome.model.save(folder)
    loaded = load(folder)
    fresh = rows(50, seed=5)
    np.testing.assert_array_equal(loaded.outputs(fresh), outcome.model.outputs(fresh))
    np.testing.assert_array_equal(
        loaded.labels(loaded.outputs(fresh)), outcome.model.labels(outcome.model.outputs(fresh))
    )
    assert sorted(path.name for path in folder.parent.iterdir()) == ["model"]


def test_weights_reach_the_prior_and_groups_stay_together() -> None:
    data = rows()
    heavy = rows(weight=np.where(data.codes == 1, 3.0, 1.0))
    outcome = run(recipe(steps=20), Splits(heavy), test_share=0)
    share = 3 * data.codes.mean() / (3 * data.codes.mean() + 1 - data.codes.mean())
    assert outcome.model.prior[1] == pytest.approx(share)
    grouped = run(recipe(steps=5), Splits(rows(group=np.arange(400) // 8)))
    train, test = grouped.splits.train, grouped.splits.test
    assert test is not None
    assert train.group is not None
    assert not set(train.group) & set(test.group if test.group is not None else [])


@pytest.mark.parametrize("folds", [3, 0])
def test_an_early_end_gives_a_complete_model_that_replays(folds: int, tmp_path: Path) -> None:
    calls = 0

    def stop_later(progress: float, what: str) -> bool:
        nonlocal calls
        calls += 1
        return calls > 70

    chosen = recipe(folds=folds, holdout=None if folds else 0.3, steps=50 if folds else 100, regularization=["ema"])
    data = Splits(rows(), test=rows(100, seed=2))
    one = run(chosen, data, progress=stop_later)
    assert any("ended early" in note for note in one.result.notes)
    one.model.save(tmp_path / "model")
    assert load(tmp_path / "model").outputs(rows(20, seed=3)).shape == (20, 2)
    again = run(Recipe.from_toml(one.recipe.to_toml()), data)
    assert again.result.history == one.result.history
    assert again.result.test == one.result.test
    assert again.recipe == one.recipe


def test_a_run_without_a_clock_measures_nothing_and_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    from rarebird.training import network_trainer

    monkeypatch.setattr(network_trainer, "fastest_placement", lambda *arguments: 1 / 0)
    rng = np.random.default_rng(0)
    pixels = Pixels(rng.integers(0, 256, (60, 1, 8, 8), dtype=np.uint8))
    y = np.arange(60) % 2
    data = Splits(Dataset("image", "classification", pixels, np.arange(60), y, ("a", "b"), np.arange(60).astype(str)))
    pictures = Recipe(kind="image", network={"name": "cnn", "width": 4, "dense": 8}, folds=2, epochs=2, batch_size=16)
    one, two = run(pictures, data), run(pictures, data)
    assert one.recipe.precision == "float32"
    assert one.result.history == two.result.history
    # A recipe that lays out its steps is not bound by a budget either.
    assert run(pictures.updated(steps=3), data, clock=Clock(1e-9)).recipe.steps == 3


def test_the_threads_of_the_caller_are_restored() -> None:
    before = torch.get_num_threads()
    outcome = run(recipe(steps=2, threads=before + 1), Splits(rows()), test_share=0)
    assert outcome.recipe.threads == before + 1
    assert torch.get_num_threads() == before
    with pytest.raises(DataError):
        run(recipe(threads=before + 1, folds=1), Splits(rows()), test_share=0)
    assert torch.get_num_threads() == before


def test_rows_of_weight_zero_are_as_if_they_were_not_there() -> None:
    data = rows()
    keep = np.arange(400) % 3 > 0
    one = run(recipe(steps=5), Splits(replace(data, weight=keep.astype(float))), test_share=0)
    two = run(recipe(steps=5), Splits(data.take(keep)), test_share=0)
    assert one.result.validation == two.result.validation
    assert one.result.history == two.result.history
    assert "weight of 0, which are left out: 134" in " ".join(one.result.notes)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_weights_hold_all_the_way_with_small_batches(task: str) -> None:
    """Constant features: all that can be learned is the weighted prior, or the weighted mean."""
    n = 600
    y = (np.arange(n) % 10 == 0).astype(np.int64)
    frame = Frame(pd.DataFrame({"a": np.random.default_rng(0).normal(size=n)}))
    weight = np.where(y == 1, 9.0, 1.0)
    data = Dataset(
        "table", "classification", frame, np.arange(n), y, ("no", "yes"), np.arange(n).astype(str), weight=weight
    )
    changes: dict[str, object] = {"batch_size": 16, "steps": 300, "network": {"name": "mlp", "width": 4, "depth": 1}}
    changes["optimizer"] = {"name": "adamw", "learning_rate": 3e-2, "weight_decay": 0.0}
    if task == "regression":
        data = replace(data, task=task, y=y.astype(float), classes=())
        changes |= {"loss": "mean_squared", "calibration": []}
    outcome = run(recipe(**changes, regularization=["ema"]), Splits(data), test_share=0)
    assert outcome.model.outputs(data)[:, -1].mean() == pytest.approx(0.5, abs=0.05)


def test_soft_targets_teach_their_own_prior() -> None:
    data = rows()
    soft = np.where(data.codes[:, None] == np.arange(2), 0.8, 0.2)
    outcome = run(recipe(calibration=[]), Splits(replace(data, y=soft)), test_share=0)
    np.testing.assert_allclose(outcome.model.prior, soft.mean(axis=0))
    assert outcome.model.outputs(data)[:, 1].mean() == pytest.approx(soft[:, 1].mean(), abs=0.03)


def test_a_class_that_some_fold_never_shows_is_served() -> None:
    """Of three classes one has a single row, which trains in each fold, and one two rows: each fold trains on at least
    one."""
    data = rows(60)
    y = np.where(np.arange(60) == 7, 2, data.codes)
    y[:2], y[2:][y[2:] == 1] = 1, 0
    for remedy in (
        {"loss": "weighted"},
        {"loss": "logit_adjusted"},
        {"batch_sampling": "class_balanced"},
        {"loss": "focal"},
    ):
        chosen = recipe(**remedy, steps=3, decision="threshold", metric="macro_f1")
        outcome = run(chosen, Splits(replace(data, y=y, classes=("no", "yes", "once"))), test_share=0)
        assert np.isfinite(outcome.model.outputs(data)).all()
        assert "'once' has 1 training row:" in " ".join(outcome.result.notes)
        assert json.loads(outcome.result.to_json())["validation"]["per_class"][2]["recall"]["value"] is None


def test_given_validation_rows_without_test_rows_leave_a_test_from_training() -> None:
    outcome = run(recipe(folds=None, steps=5), Splits(rows(), val=rows(80, seed=4)))
    assert outcome.splits.test is not None
    assert len(outcome.splits.test) + len(outcome.splits.train) == 400
    assert outcome.out_of_fold is not None
    assert outcome.out_of_fold.shape == (80, 2)
    assert np.isfinite(outcome.out_of_fold).all()
    assert len(outcome.model.members) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test": replace(rows(20, seed=1), y=None)}, "has no test rows with labels"),
        ({"val": rows(20, seed=1).take(np.arange(0))}, "has no validation rows with labels"),
        ({"train": replace(rows(), y=None)}, "has no training rows with labels"),
        ({"train": rows(group=np.zeros(400))}, "too few rows or groups"),
        ({"train": rows(weight=np.where(rows().codes == 1, 0.0, 1.0))}, "'yes' has no row left to train on"),
    ],
)
def test_rows_that_cannot_serve_are_refused(change: dict[str, Dataset], message: str) -> None:
    with pytest.raises(DataError, match=message):
        run(recipe(steps=2), Splits(**({"train": rows()} | change)))


def test_a_recipe_that_does_not_fit_is_refused_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    from rarebird.training import network_trainer

    monkeypatch.setattr(network_trainer.NetworkTrainer, "run", lambda *arguments: 1 / 0)
    for changes, message in (({"metric": "nonsense"}, "no metric 'nonsense'"), ({"folds": 1}, "got folds=1")):
        with pytest.raises(DataError, match=message):
            run(recipe(**changes), Splits(rows()))
    with pytest.raises(DataError, match="for data of kind 'image', but data holds data of kind 'table'"):
        run(Recipe(kind="image", network="cnn"), Splits(rows()))
    with pytest.raises(DataError, match="no class 'yse' to take as positive; did you mean 'yes'"):
        run(recipe(), Splits(rows()), positive="yse")


@pytest.mark.parametrize("optimizer", [{"name": "sgd", "learning_rate": 1e9}, {"name": "sgd", "learning_rate": 1e30}])
def test_a_training_that_diverges_is_refused_in_words(optimizer: dict[str, object]) -> None:
    with pytest.raises(DataError, match="diverged; lower the learning rate"):
        run(recipe(optimizer=optimizer), Splits(rows()), test_share=0)


def test_a_loss_of_another_task_is_refused_with_those_that_serve() -> None:
    with pytest.raises(DataError, match=r"does not serve classification; use one of .*cross_entropy"):
        run(recipe(loss="mean_squared"), Splits(rows()), test_share=0)

"""A class that no held-out row shows is not erased: calibration, the mean of an ensemble, decision and selection say
nothing of it, neither for nor against."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from rarebird.automl.criterion import Criterion
from rarebird.data.dataset import Dataset, Frame, Splits
from rarebird.evaluation.held_out import calibrate_mean, decide
from rarebird.experiment.run import run
from rarebird.methods.calibration.class_scale_bias import ClassScaleBias
from rarebird.methods.calibration.temperature import Temperature
from rarebird.model.chain import apply_to_mean, probabilities
from rarebird.model.held_out_rows import HeldOutRows
from rarebird.recipe.recipe import Recipe

PRIOR = np.array([0.6, 0.3, 0.1])


def posterior(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits of a perfect network for rows of three classes, and the classes."""
    rng = np.random.default_rng(seed)
    y = rng.choice(3, n, p=PRIOR)
    x = rng.normal(size=(n, 2)) + np.array([[0, 0], [2.0, 0], [0, 2.5]])[y]
    logits = np.log(PRIOR) + np.stack([0 * x[:, 0], 2 * x[:, 0] - 2, 2.5 * x[:, 1] - 2.5**2 / 2], axis=1)
    return logits, y


def shown(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The rows without those of the last class."""
    logits, y = posterior(n, seed)
    return logits[y < 2], y[y < 2]


@pytest.mark.parametrize("method", [ClassScaleBias(), Temperature()], ids=["class_scale_bias", "temperature"])
@pytest.mark.parametrize("confidence", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("by_weight", [False, True])
def test_calibration_keeps_the_probability_of_an_unseen_class(method: Any, confidence: float, by_weight: bool) -> None:
    """Also where its rows are there, but weigh nothing."""
    logits, y = posterior(600) if by_weight else shown(600)
    fitted = method.fit(confidence * logits, y, (y < 2).astype(float), None)
    new, truth = posterior(20_000, seed=1)
    calibrated = probabilities(fitted(confidence * new), [])
    assert calibrated[:, 2].mean() == pytest.approx(0.1, abs=0.015)
    assert (calibrated.argmax(axis=1) == 2)[truth == 2].mean() > 0.6


def test_an_unseen_class_has_no_part_in_a_temperature() -> None:
    logits, y = shown(300)
    alone = Temperature().fit(logits[:, :2], y, np.ones(len(y)), None)
    for changed in (logits, logits + np.array([0, 0, 5.0])):
        assert Temperature().fit(changed, y, np.ones(len(y)), None).temperature == pytest.approx(alone.temperature)


@pytest.mark.parametrize("method", [ClassScaleBias(), Temperature()], ids=["class_scale_bias", "temperature"])
def test_rows_of_one_class_calibrate_nothing(method: Any) -> None:
    logits, y = posterior(300)
    fitted = method.fit(logits[y == 1], y[y == 1], np.ones((y == 1).sum()), None)
    np.testing.assert_allclose(probabilities(fitted(logits), []), probabilities(logits, []), atol=1e-12)


def rows(y: np.ndarray, seed: int, group: np.ndarray | None = None) -> Dataset:
    rng = np.random.default_rng(seed)
    x = rng.normal(np.array([[0, 0], [2.2, 0], [0, 2.6]])[y], 1.0)
    frame = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "noise": rng.normal(size=len(y))})
    at = np.arange(len(y))
    return Dataset("table", "classification", Frame(frame), at, y, ("a", "b", "c"), at.astype(str), group=group)


def test_the_mean_of_an_ensemble_keeps_an_unseen_class() -> None:
    logits, y = shown(600)
    recipe = Recipe(kind="table", network="mlp", calibration=["class_scale_bias"])
    chain = calibrate_mean(recipe, probabilities(logits, []), rows(y, 0))
    new, _ = posterior(20_000, seed=1)
    assert apply_to_mean(probabilities(new, []), chain)[:, 2].mean() == pytest.approx(0.1, abs=0.015)


@pytest.mark.parametrize("metric", ["macro_f1", "balanced_accuracy", "matthews_corrcoef"])
@pytest.mark.parametrize("by_weight", [False, True])
def test_a_threshold_keeps_an_unseen_class(metric: str, by_weight: bool) -> None:
    logits, y = posterior(600) if by_weight else shown(600)
    recipe = Recipe(kind="table", network="mlp", decision="threshold", metric=metric)
    rows = HeldOutRows(probabilities(logits, []), y, (y < 2).astype(float))
    _, fitted = decide(recipe, rows, PRIOR, ("a", "b", "c"), positive=None)
    new, truth = posterior(20_000, seed=1)
    labels = fitted(probabilities(new, []))
    assert (labels == 2)[truth == 2].mean() > 0.6
    assert (labels == truth).mean() > 0.7


def test_the_cut_off_of_rows_of_one_class_lies_between_argmax_and_balanced() -> None:
    recipe = Recipe(kind="table", network="mlp", decision="threshold", metric="macro_f1")
    common = np.zeros(50, dtype=int)
    p = np.tile([0.9, 0.1], (50, 1))
    _, fitted = decide(recipe, HeldOutRows(p, common, np.ones(50)), np.array([0.9, 0.1]), ("a", "b"), positive="b")
    assert list(fitted(np.array([[0.95, 0.05], [0.6, 0.4]]))) == [0, 1]


def test_selection_does_not_prefer_who_erases_an_unseen_class() -> None:
    logits, y = shown(600)
    known = probabilities(logits, [])
    erased = known * np.array([1, 1, 1e-3])
    erased /= erased.sum(axis=1, keepdims=True)
    for metric in ("balanced_accuracy", "log_loss"):
        criterion = Criterion.of(rows(y, 0), PRIOR, metric)
        np.testing.assert_allclose(criterion.rows(erased), criterion.rows(known), atol=1e-9)


@pytest.mark.parametrize("decision", ["balanced", "threshold"])
@pytest.mark.parametrize("case", ["one group", "given"])
def test_a_run_keeps_a_class_without_held_out_rows_and_says_so(case: str, decision: str) -> None:
    y = np.repeat([0, 1, 2], [200, 100, 30])
    group = np.where(y == 2, 1000, np.arange(330)) if case == "one group" else None
    val = rows(np.repeat([0, 1], [100, 50]), 7) if case == "given" else None
    test = rows(np.repeat([0, 1, 2], [600, 300, 90]), 5)
    recipe = Recipe(
        kind="table",
        network={"name": "mlp", "width": 32, "depth": 2},
        steps=200,
        batch_size=64,
        threads=1,
        calibration=["prior_correction", "temperature", "class_scale_bias"],
        decision=decision,
        metric="macro_f1",
        folds=None if case == "given" else 3,
    )
    outcome = run(recipe, Splits(rows(y, 0, group), val, test), device="cpu", copies=None)
    p = outcome.model.outputs(test)
    assert p[:, 2].mean() == pytest.approx(90 / 990, abs=0.04)
    assert (outcome.model.labels(p) == 2)[test.codes == 2].mean() > 0.2
    assert any("'c'" in note and "held-out" in note for note in outcome.result.notes)

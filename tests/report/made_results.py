"""Realistic results for the report's tests: simulated probabilities, scored with plain NumPy and scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, precision_recall_curve

from rarebird.evaluation.cut_offs import cut_off_counts
from rarebird.evaluation.estimate import Estimate
from rarebird.evaluation.result import ClassScore, Result, Scores
from rarebird.evaluation.search_history import SearchHistory, SearchTrial, Tried
from rarebird.metrics.calibration import class_calibration
from rarebird.metrics.ranking import roc_curve
from rarebird.report.sections.section import RunContents

RECIPE = """kind = "table"
seed = 0
metric = "balanced_accuracy"
steps = 800

[network]
name = "mlp"

[loss]
name = "logit_adjusted"
tau = 1.0
"""
PROFILE = "rows      1010\nclasses   3\n  正常       900\n  abnormal   108\n  <script>alert(1)</script>  2\n"


def contents(outcome: Result, profile: dict[str, Any] | None = None, **fields: Any) -> RunContents:
    """What a report shows of a result, with the recipe and the profile of these tests."""
    return RunContents(outcome, RECIPE, profile or {}, PROFILE, **fields)


def share(hits: float, n: int) -> Estimate:
    """A share with its Wilson interval; all None below two rows."""
    if n < 2:
        return Estimate(value=None)
    p, z = hits / n, 1.96
    center, half = (
        (p + z**2 / (2 * n)) / (1 + z**2 / n),
        z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)),
    )
    return Estimate(value=p, low=max(center - half, 0), high=min(center + half, 1))


def scores(classes: list[str], support: list[int], seed: int = 0, sharpness: float = 2.5) -> Scores:
    """Scores of a simulated classifier on `support` rows of each class."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(classes)), support)
    logits = rng.normal(size=(len(y), len(classes))) + sharpness * np.eye(len(classes))[y]
    probabilities = np.exp(1.3 * logits) / np.exp(1.3 * logits).sum(axis=1, keepdims=True)
    predicted = probabilities.argmax(axis=1)
    confusion = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(confusion, (y, predicted), 1)
    per_class, class_bins = [], {}
    for code, label in enumerate(classes):
        hits, n, named = confusion[code, code], support[code], confusion[:, code].sum()
        recall = share(hits, n)
        precision = share(hits, named) if n > 1 else Estimate(value=None)
        f1 = (
            Estimate(
                value=2 * hits / (n + named),
                low=max(2 * hits / (n + named) - 0.08, 0),
                high=min(2 * hits / (n + named) + 0.06, 1),
            )
            if n > 1
            else Estimate(value=None)
        )
        found = class_calibration(y == code, probabilities[:, code], np.ones(len(y)))
        error = Estimate(value=None)
        if found is not None:
            class_bins[label] = found.bins
            error = Estimate(value=found.value, low=found.low, high=found.high) if n > 1 else error
        per_class.append(
            ClassScore(
                label=label,
                support=n,
                recall=recall,
                precision=precision,
                f1=f1,
                note="" if n > 4 else "too few rows to judge",
                calibration_error=error,
            )
        )
    return Scores(
        metrics=_metrics(confusion, probabilities, y),
        per_class=per_class,
        confusion=confusion.tolist(),
        curves=_curves(classes, y, probabilities) | {"class_reliability": class_bins, **_before(probabilities, y)},
        cut_offs=cut_off_counts(y, probabilities, _most_probable, classes, _drawn(classes, support), 0.0235),
        most_probable=0.97,
    )


def _metrics(confusion: np.ndarray, probabilities: np.ndarray, y: np.ndarray) -> dict[str, Estimate]:
    present = confusion.sum(axis=1) > 0
    balanced = float((np.diag(confusion)[present] / confusion.sum(axis=1)[present]).mean())
    loss = float(-np.log(probabilities[np.arange(len(y)), y]).mean())
    average = float(np.mean([average_precision_score(y == code, probabilities[:, code]) for code in np.unique(y)]))
    return {
        "balanced_accuracy": Estimate(value=balanced, low=balanced - 0.04, high=min(balanced + 0.03, 1)),
        "accuracy": share(float(np.trace(confusion)), len(y)),
        "matthews_corrcoef": Estimate(value=0.71, low=0.66, high=0.76),
        "average_precision": Estimate(value=average, low=average - 0.05, high=min(average + 0.05, 1)),
        "log_loss": Estimate(value=loss, low=loss - 0.03, high=loss + 0.03),
        "expected_calibration_error": Estimate(value=0.021, low=0.012, high=0.034),
    }


def _curves(classes: list[str], y: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
    top, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == y
    place = np.minimum((top * 15).astype(int), 14)
    bins = [
        {
            "confidence": float(top[place == b].mean()),
            "accuracy": float(right[place == b].mean()),
            "count": int((place == b).sum()),
        }
        for b in np.unique(place)
    ]
    curves, roc = {}, {}
    for code in range(1, 2) if len(classes) == 2 else np.unique(y)[:10]:
        precision, recall, _ = precision_recall_curve(y == code, probabilities[:, code])
        curves[classes[code]] = {"precision": precision.tolist(), "recall": recall.tolist()}
        roc[classes[code]] = roc_curve(y == code, probabilities[:, code], np.ones(len(y)))
    return {"reliability": bins, "precision_recall": curves, "roc": roc}


def _before(probabilities: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """Reliability before calibration: some bins that are off."""
    bins = [{"confidence": 0.6, "accuracy": 0.4, "count": 40}, {"confidence": 0.95, "accuracy": 0.8, "count": 200}]
    found = {"reliability": bins, "class_reliability": {}, "log_loss": 0.4, "expected_calibration_error": 0.16}
    return {"uncalibrated": found}


def _most_probable(probabilities: np.ndarray) -> np.ndarray:
    codes: np.ndarray = probabilities.argmax(axis=1)
    return codes


def _drawn(classes: list[str], support: list[int]) -> list[int]:
    if len(classes) == 2:
        return [1]
    return [code for code, n in enumerate(support) if n][:10]


def searched() -> dict[str, Any]:
    """What a search adds to a result: recipes that were tried, and trials of which some have settings."""
    figure = Estimate(value=0.8, low=0.7, high=0.9)
    tried = (
        Tried(
            name="boosted trees",
            loss=0.30,
            behind=0.0,
            share=0.6,
            runs=1,
            seconds=2.0,
            is_reference=True,
            figure=figure,
        ),
        Tried(name="mlp", loss=0.41, behind=0.11, error=0.02, share=0.4, runs=2, is_default=True, figure=figure),
        Tried(name="ridge", why="it was surely worse than boosted trees after 1 of 5 parts"),
    )
    trials = [SearchTrial(number=0, name="boosted trees", value=0.3, seconds=1.0)]
    for place in range(1, 13):
        settings = {"optimizer.learning_rate": 10.0 ** -(place % 4 + 1), "loss": "focal" if place % 2 else "ldam"}
        trials.append(SearchTrial(number=place, value=0.3 + 0.03 * (place % 5), seconds=4.0 * place, settings=settings))
    importance = {"optimizer.learning_rate": 0.8, "loss": 0.2}
    history = SearchHistory(criterion="loss", larger_is_better=False, trials=tuple(trials), importance=importance)
    return {"tried": tried, "search": history}


def history(folds: int) -> list[dict[str, float]]:
    """Losses that fall, on steps that differ a little between folds."""
    return [
        {
            "fold": fold,
            "step": step + 3 * fold,
            "learning_rate": 1e-3 * float(np.cos(step / 800 * 1.5)),
            "train_loss": float(0.9 * np.exp(-step / 200) + 0.1),
            "val_loss": float(0.9 * np.exp(-step / 180) + 0.22 + 0.02 * fold + 0.1 * step / 800),
            "balanced_accuracy": float(0.9 - 0.5 * np.exp(-step / 150)),
        }
        for fold in range(folds)
        for step in range(0, 801, 50)
    ]


def result(name: str, classes: list[str], counts: list[int], support: list[int], **fields: Any) -> Result:
    """A result of a classification on made-up rows."""
    plain: dict[str, Any] = {
        "kind": "table",
        "task": "classification",
        "name": name,
        "n_train": sum(counts),
        "n_test": sum(support),
        "classes": classes,
        "class_counts": dict(zip(classes, counts, strict=True)),
        "metric": "balanced_accuracy",
        "protocol": "5-fold cross-fitting on the training rows, stratified; the test rows were touched once.",
        "test": scores(classes, support) if sum(support) else None,
        "validation": scores(classes, counts, seed=1) if sum(counts) else None,
        "history": history(5),
        "timings": {"read": 0.31, "profile": 1.2, "train": 48.7, "score": 2.4},
        "versions": {"rarebird": "0.1.0", "torch": "2.11.0", "numpy": "2.2.0"},
        "notes": ["2 columns identify rows and were left out: id, 编号."],
        "seconds": 53.1,
        "model": "runs/demo/model",
    }
    return Result(**(plain | fields))


def regression() -> Result:
    """A result of a regression on made-up house prices."""
    rng = np.random.default_rng(0)
    true = rng.lognormal(12.0, 0.5, size=3000)
    predicted = true * rng.lognormal(0.0, 0.15, size=3000)
    metrics = {
        "r2": Estimate(value=0.8123, low=0.791, high=0.832),
        "mean_squared_error": Estimate(value=2.31e9, low=2.1e9, high=2.6e9),
        "mean_absolute_error": Estimate(value=31250.4, low=30100.0, high=32480.0),
    }
    test = Scores(metrics=metrics, curves={"residuals": {"true": true.tolist(), "predicted": predicted.tolist()}})
    return result(
        "california-housing",
        [],
        [],
        [],
        task="regression",
        n_train=14000,
        n_test=3000,
        metric="r2",
        test=test,
        validation=Scores(metrics=metrics),
    )

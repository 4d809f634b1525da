"""The recipe that `fit` starts from: a few documented rules of the data's kind, size and skew. No rule knows any data set.

- The loss of pictures and series is logit-adjusted where classes are skewed: the network learns the classes as if they were equally
  frequent, and its probabilities are corrected back to the natural prior. Tables, and even classes, use plain cross entropy.
- Calibration corrects the prior and fits one temperature; the decision serves the metric (`balanced` for balanced accuracy, `argmax` for
  accuracy, a fitted threshold for the rest).
- Batches grow with the rows, so that an epoch has some tens of steps at least; passes over the rows are limited where rows are few enough
  that a budget would allow thousands.
- Pictures are moved, turned and scaled a little, and change brightness and contrast by more: the next patient or camera differs in these
  first. They are never flipped, because a mirrored chest X-ray or a mirrored digit is no longer itself.
- Few series get a smaller InceptionTime: a budget then buys it passes over the rows rather than width.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rarebird.data.dataset import Dataset
from rarebird.metrics import names
from rarebird.recipe import Recipe

SKEWED = 1.5
FEW_SERIES = 2_000


def default_recipe(train: Dataset, metric: str | None = None, seed: int = 0) -> Recipe:
    """The starting recipe for these training rows.

    Args:
        train: Rows to learn from; only their kind, number and class counts are looked at.
        metric: What to serve; None: balanced accuracy, or mean squared error for regression.
        seed: The recipe's seed.

    Raises:
        DataError: There is no such metric, or it does not judge this task.
    """
    metric = metric or ("balanced_accuracy" if train.task == "classification" else "mean_squared_error")
    needs = names.metric(metric, train.classes).needs
    build = {"table": _table, "image": _image, "series": _series}[train.kind]
    recipe = {"kind": train.kind, "seed": seed, "metric": metric, "batch_size": _batch_size(len(train)), **build(train)}
    if train.task == "regression":
        recipe |= {"loss": "mean_squared"}
    else:
        recipe |= {"calibration": ["prior_correction", "temperature"], "decision": _decision(metric, needs)}
    return Recipe(**recipe)


def _table(train: Dataset) -> dict[str, Any]:
    return {
        "network": {"name": "mlp"},
        "optimizer": {"name": "adamw", "learning_rate": 2e-3, "weight_decay": 1e-2},
        "regularization": ["ema", "gradient_clipping"],
        "epochs": _epochs(len(train), most=150, rows=1_500_000),
    }


def _image(train: Dataset) -> dict[str, Any]:
    return {
        "network": {"name": "resnet"},
        "loss": _loss(train),
        "augmentation": [
            {"name": "rotate", "degrees": 15},
            {"name": "translate", "fraction": 0.1},
            {"name": "scale", "strength": 0.15},
            {"name": "brightness", "strength": 0.4},
            {"name": "contrast", "strength": 0.4},
        ],
        "optimizer": {"name": "adamw", "learning_rate": 2e-3, "weight_decay": 5e-2},
        "regularization": ["ema", "gradient_clipping"],
        "epochs": 150.0,
    }


def _series(train: Dataset) -> dict[str, Any]:
    return {
        "network": {"name": "inception_time", "depth": 3, "width": 16} if len(train) < FEW_SERIES else {"name": "inception_time"},
        "loss": _loss(train),
        "optimizer": {"name": "adamw", "learning_rate": 2e-3, "weight_decay": 1e-2},
        "regularization": ["ema", "gradient_clipping"],
        "epochs": _epochs(len(train), most=200, rows=1_000_000),
    }


def _batch_size(n: int) -> int:
    """A power of two from 16 to 256, so that an epoch has about 20 steps or more."""
    return int(2 ** np.clip(np.round(np.log2(max(n, 1) / 20)), 4, 8))


def _epochs(n: int, most: float, rows: int) -> float:
    """Passes that show the network about `rows` rows, at most `most` and at least 20."""
    return float(np.clip(rows / n, 20, most))


def _loss(train: Dataset) -> str:
    counts = train.class_counts
    if counts is None or counts.max() < SKEWED * counts[counts > 0].min():
        return "cross_entropy"
    return "logit_adjusted"


def _decision(metric: str, needs: str) -> str:
    if metric == "accuracy":
        return "argmax"
    return "balanced" if metric == "balanced_accuracy" or needs != "labels" else "threshold"

"""The recipe that `fit` starts from, by a few documented rules on the data's kind, size and skew. No rule depends on a
particular data set.

- The loss of pictures and series is logit-adjusted where classes are skewed: the network learns the classes as if they
  were equally frequent, and its probabilities are corrected back to the natural prior. Tables, and even classes, use
  plain cross entropy.
- Calibration corrects the prior and fits one temperature; for skewed classes also a scale and bias per class.
  The decision serves the metric: `balanced` for balanced accuracy, `argmax` for accuracy, a fitted threshold for the
  rest.
- Batches grow with the number of rows, so that an epoch has about 20 steps or more. Passes over the rows are limited,
  because a budget would allow thousands where rows are few.
- Pictures of up to 64 px are moved, turned and scaled a little. Larger ones are not: resampling blurs their texture,
  and a budget gives them too few passes to make up for it. All change brightness and contrast: the next patient or
  camera differs in these first. None are flipped, because a mirrored chest X-ray or a mirrored digit is no longer
  itself.
- A table's network learns small tables by heart within some tens of passes, and nothing stops early inside a fold: 15
  passes, or 300 steps where these are more. Many rows, which are held out and not cross-fitted, and regression get 40;
  a hold-out of many rows stops early.
- Few series get a smaller InceptionTime: a budget then buys it passes over the rows rather than width.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rarebird.data.dataset import Dataset, Pixels
from rarebird.data.split import CROSS_FIT_ROWS
from rarebird.metrics import names
from rarebird.recipe.recipe import Recipe

SKEWED = 1.5
FEW_SERIES, SMALL_SIDE = 2_000, 64
TABLE_EPOCHS, FEWEST_STEPS, TABLE_EPOCHS_MANY = 15, 300, 40


def default_recipe(train: Dataset, metric: str | None = None, seed: int = 0) -> Recipe:
    """The starting recipe for these training rows.

    Args:
        train: Rows to learn from; only their kind, number, class counts and picture size matter.
        metric: The metric to optimize; None: balanced accuracy, or mean squared error for regression.
        seed: The recipe's seed.

    Raises:
        DataError: There is no such metric, or it does not fit the task.
    """
    metric = metric or ("balanced_accuracy" if train.task == "classification" else "mean_squared_error")
    needs = names.metric_for_task(metric, train.task, train.classes).needs
    build = {"table": _table, "image": _image, "series": _series}[train.kind]
    recipe = {"kind": train.kind, "seed": seed, "metric": metric, "batch_size": _batch_size(len(train)), **build(train)}
    if train.task == "regression":
        recipe |= {"loss": "mean_squared"}
    else:
        recipe |= {"calibration": _calibration(train), "decision": _decision(metric, needs)}
    return Recipe(**recipe)


def _table(train: Dataset) -> dict[str, Any]:
    n, many = len(train), len(train) > CROSS_FIT_ROWS["table"]
    few = max(TABLE_EPOCHS, round(FEWEST_STEPS * _batch_size(n) / n))
    epochs = TABLE_EPOCHS_MANY if train.task == "regression" or many else few
    return {
        "network": {"name": "mlp", "dropout": 0.1 if many else 0.3}
        if train.task == "classification"
        else {"name": "mlp"},
        "optimizer": {"name": "adamw", "learning_rate": 2e-3, "weight_decay": 0.1},
        "regularization": ["ema", "gradient_clipping", *([{"name": "early_stopping", "patience": 6}] if many else [])],
        "epochs": float(epochs),
    }


def _image(train: Dataset) -> dict[str, Any]:
    assert isinstance(train.source, Pixels)
    large = max(train.source.array.shape[2:]) > SMALL_SIDE
    moved = [
        {"name": "rotate", "degrees": 15},
        {"name": "translate", "fraction": 0.1},
        {"name": "scale", "strength": 0.15},
    ]
    return {
        "network": {"name": "resnet", "width": 32} if large else {"name": "resnet"},
        "batch_size": min(_batch_size(len(train)), 128),
        "loss": _loss(train),
        "augmentation": [
            *([] if large else moved),
            {"name": "brightness", "strength": 0.4},
            {"name": "contrast", "strength": 0.4},
        ],
        "optimizer": {"name": "adamw", "learning_rate": 8e-3, "weight_decay": 5e-2},
        "regularization": ["ema", "gradient_clipping"],
        "epochs": 150.0,
    }


def _series(train: Dataset) -> dict[str, Any]:
    return {
        "network": {"name": "inception_time", "depth": 3, "width": 16}
        if len(train) < FEW_SERIES
        else {"name": "inception_time"},
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
    return "logit_adjusted" if _is_skewed(train) else "cross_entropy"


def _is_skewed(train: Dataset) -> bool:
    if train.task == "regression":
        return False
    counts = train.weighted_counts
    return bool(counts.max() >= SKEWED * counts[counts > 0].min(initial=counts.max()))


def _calibration(train: Dataset) -> list[str]:
    """Names of the calibrations. One temperature also flattens the prior of skewed classes, so that these get a scale
    and bias per class, too."""
    skewed = ["class_scale_bias"] if _is_skewed(train) else []
    return ["prior_correction", "temperature", *skewed]


def _decision(metric: str, needs: str) -> str:
    if metric == "accuracy":
        return "argmax"
    return "balanced" if metric == "balanced_accuracy" or needs != "labels" else "threshold"

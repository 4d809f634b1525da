"""The time that the models of a cross-fit take beside their steps: their rows, predictions and scores."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np

from rarebird.core.checks import LateError
from rarebird.data.dataset import Splits
from rarebird.training.trainer import Trainer

# Seconds to score one row, for each class; the bootstrap takes most of them. Seconds to write its prediction.
SCORING_SECONDS, WRITING_SECONDS = 5e-6, 2e-5
# Share of the time that may go into the preparation of rows; the rest is for training.
BUILDING_SHARE = 0.5
# Seconds by which trainings may end late where they cannot be shorter: a whole model is worth them.
LONGEST_OVERRUN = 4.0


def affordable_models(
    deadline: float, trainer: Trainer, built: float, splits: Splits, parts: Sequence[tuple[np.ndarray, np.ndarray]]
) -> int:
    """How many models are trained where the least that each takes (its rows, the shortest training, the prediction of
    held-out and test rows) is a large part of the time: half of the time may go into it. The first rows are ready."""
    test = 0 if splits.test is None else len(splits.test)
    held = _predicted_rows(splits, parts) if splits.val is None else len(splits.val) * len(parts)
    predicting = trainer.seconds_per_row(deadline) * (test + held / max(len(parts), 1))
    least = built + trainer.least_seconds(deadline) + predicting
    if least * len(parts) <= LONGEST_OVERRUN:
        return len(parts)
    left = max(deadline - time.monotonic(), 0.0)
    return max(1, min(len(parts), int(BUILDING_SHARE * (left + built) / max(least, 1e-9))))


def scoring_seconds(n_classes: int) -> float:
    """Seconds to score one row and to write its prediction; 0 classes for regression."""
    return SCORING_SECONDS * max(n_classes, 1) + WRITING_SECONDS


def _predicted_rows(splits: Splits, parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> int:
    """Held-out rows that a model predicts; those that it learned from have leave-one-out outputs."""
    learned, count = np.zeros(len(splits.train), dtype=bool), 0
    for fit, held in parts:
        learned[:] = False
        learned[fit] = True
        count += int((~learned[held]).sum())
    return count


def seconds_after_training(
    deadline: float, trainer: Trainer, splits: Splits, parts: Sequence[tuple[np.ndarray, np.ndarray]]
) -> float:
    """Seconds to predict and score held-out and test rows; at most half of the remaining time.

    Raises:
        LateError: These and the shortest training end long after the deadline.
    """
    held = sum(len(held) for _, held in parts) if splits.val is None else len(splits.val)
    test = 0 if splits.test is None else len(splits.test)
    predicted = _predicted_rows(splits, parts) if splits.val is None else held
    predicting = trainer.seconds_per_row(deadline) * (predicted + len(parts) * test)
    scoring = scoring_seconds(splits.train.n_classes) * (held + test)
    left = max(deadline - time.monotonic(), 0.0)
    needed = trainer.least_seconds(deadline) + predicting
    if needed > left + LONGEST_OVERRUN:
        raise LateError(
            f"The shortest training takes about {needed:.0f} s on these rows, with their prediction, but {left:.0f} s "
            f"are left; give a longer budget, such as --budget {math.ceil(needed / 10)}m."
        )
    return min(predicting + scoring, left / 2)

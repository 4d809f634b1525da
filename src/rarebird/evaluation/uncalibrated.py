"""How probabilities agreed with the rows before any calibration, beside the same rows after it."""

from __future__ import annotations

import numpy as np

from rarebird.evaluation.class_calibration import class_calibrations, class_curves
from rarebird.evaluation.intervals import ClassPredictions
from rarebird.evaluation.predicted_rows import PredictedRows
from rarebird.evaluation.result import Scores
from rarebird.evaluation.scoring import drawn
from rarebird.metrics.calibration import expected_calibration_error, log_loss, reliability_curve

CURVE = "uncalibrated"


def with_uncalibrated(scores: Scores, held: PredictedRows, outputs: np.ndarray | None) -> Scores:
    """The scores with the reliability of the same rows before calibration among their curves.

    Args:
        scores: Of held-out rows.
        held: These rows.
        outputs: ``(n, n_classes)`` their probabilities before calibration; None for regression.
    """
    if outputs is None:
        return scores
    rows, classes = held.rows, held.rows.classes
    y, weight = rows.codes, rows.weights
    positive = None if len(classes) != 2 else int(np.argmin(np.bincount(y, minlength=2)))
    known = [classes.index(label) for label in scores.curves.get("class_reliability", {})]
    scored = ClassPredictions(y, outputs, outputs.argmax(axis=1), rows.weight, rows.group, positive)
    found = {
        "reliability": reliability_curve(y, outputs, weight),
        "class_reliability": class_curves(class_calibrations(scored), classes, known or drawn(scored)),
        "log_loss": float(log_loss(y, outputs, weight)),
        "expected_calibration_error": float(expected_calibration_error(y, outputs, weight)),
    }
    return scores.model_copy(update={"curves": {**scores.curves, CURVE: found}})

"""The calibration of each class on scored rows: an estimate for the table, and a curve for the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rarebird.evaluation.estimate import Estimate
from rarebird.evaluation.intervals import ClassPredictions
from rarebird.evaluation.result import ClassScore
from rarebird.metrics.calibration import ClassCalibration, class_calibration
from rarebird.metrics.uncertainty import square_and_add

Calibrations = Sequence[ClassCalibration | None]


def class_calibrations(scored: ClassPredictions) -> Calibrations:
    """The calibration of each class; None for classes without rows."""
    return [
        class_calibration(scored.y == code, scored.probabilities[:, code], scored.weights, scored.group)
        for code in range(scored.n_classes)
    ]


def with_calibration(rows: Sequence[ClassScore], calibrations: Calibrations) -> list[ClassScore]:
    """The table of scores with each class's calibration error and the test of its probabilities, where the class has
    enough rows for other figures."""
    return [
        row
        if found is None or row.recall.value is None
        else row.model_copy(update={"calibration_error": _of(found), "calibration_p_value": found.p_value})
        for row, found in zip(rows, calibrations, strict=True)
    ]


def classwise_error(rows: Sequence[ClassScore]) -> Estimate:
    """The mean of the classes' calibration errors; their intervals combine as if classes were independent."""
    errors = [row.calibration_error for row in rows]
    known = [(one.value, one.low, one.high) for one in errors if one.value is not None]
    if not known:
        return Estimate(value=None)
    values, lows, highs = (np.array(part, dtype=float) for part in zip(*known, strict=True))
    value, k = float(values.mean()), len(values)
    low, high = square_and_add(value, value + (lows - values) / k, value + (highs - values) / k)
    return Estimate(value=value, low=max(low, 0.0), high=high)


def class_curves(calibrations: Calibrations, classes: Sequence[str], drawn: Sequence[int]) -> dict[str, Any]:
    """The bins of the drawn classes by their labels."""
    found = {classes[code]: calibrations[code] for code in drawn}
    return {label: one.bins for label, one in found.items() if one is not None}


def _of(found: ClassCalibration) -> Estimate:
    return Estimate(value=found.value, low=found.low, high=found.high)

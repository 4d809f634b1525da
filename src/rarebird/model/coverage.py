"""Prediction sets and intervals of a model, from the predictions of its members."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rarebird.core.checks import DataError, require
from rarebird.model.chain import apply_to_mean
from rarebird.model.conformal import PredictionSets, prediction_sets, value_intervals
from rarebird.model.held_out_rows import HeldOutRows
from rarebird.model.model import Model


def sets(model: Model, each: Sequence[np.ndarray], coverage: float) -> PredictionSets:
    """The set of classes of each row.

    Args:
        model: A model of classes.
        each: ``(n, n_classes)`` probabilities of each member, as `Model.member_outputs` gives them.
        coverage: The promise for each class, 0..1.

    Raises:
        DataError: The coverage is not between 0 and 1, or the model keeps no held-out rows.
    """
    require(bool(model.classes), "the model predicts classes", classes=model.classes)
    return prediction_sets(_held(model), compared_outputs(model, each), coverage)


def intervals(model: Model, each: Sequence[np.ndarray], coverage: float) -> np.ndarray:
    """``(n, 2)`` the ends of each row's interval.

    Args:
        model: A model of numbers.
        each: ``(n, 1)`` values of each member.
        coverage: The promise, 0..1.

    Raises:
        DataError: The coverage is not between 0 and 1, or the model keeps too few held-out rows for it.
    """
    require(not model.classes, "the model predicts a number", classes=model.classes)
    return value_intervals(_held(model), compared_outputs(model, each), coverage)


def _held(model: Model) -> HeldOutRows:
    if model.held_out is None:
        raise DataError(
            "The model was saved by a version that kept no held-out rows, so that no coverage can be promised; train "
            "it again."
        )
    return model.held_out


def compared_outputs(model: Model, each: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The outputs that held-out rows are compared with: those of each row's own member, or those of the model."""
    member = _held(model).member
    if member is None or not len(member):
        return [model.mean_of(each)]
    return [apply_to_mean(one, model.calibrations) for one in each]

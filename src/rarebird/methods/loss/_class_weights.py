"""Weights per class: computed from counts, or given by class label, and scaled to mean 1 over the training rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rarebird.core.checks import DataError, nearest, some
from rarebird.methods.loss._from_logits import at_least_one

# Classes of a thousand rows or more then have nearly equal weights; rarer ones nearly in inverse proportion to rows.
USUAL_BETA = 0.999


def inverse_power(class_counts: np.ndarray, power: float) -> np.ndarray:
    """``(n_classes,)`` weights ``1 / count ** power`` whose mean over the training rows is 1; 1 is balanced, .5 the
    inverse square root."""
    return normalized(at_least_one(class_counts) ** -power, class_counts)


def effective_number(class_counts: np.ndarray, beta: float = USUAL_BETA) -> np.ndarray:
    """``(n_classes,)`` weights ``(1 - beta) / (1 - beta ** count)`` (Cui et al. 2019) whose mean over the training rows
    is 1."""
    return normalized((1 - beta) / (1 - beta ** at_least_one(class_counts)), class_counts)


def normalized(weights: np.ndarray, class_counts: np.ndarray) -> np.ndarray:
    """`weights` scaled so that their mean over rows with these counts is 1."""
    scaled: np.ndarray = weights * (class_counts.sum() / (weights * class_counts).sum())
    return scaled


def by_label(given: Mapping[str, float], classes: tuple[str, ...], setting: str) -> np.ndarray:
    """The weights `given` per class label, in the order of `classes`.

    Raises:
        DataError: The labels of `setting` are not exactly the classes.
    """
    unknown = [label for label in given if label not in classes]
    if unknown:
        raise DataError(
            f"{setting} names the class {unknown[0]!r}, which is not in the data; {nearest(unknown[0], classes)}"
        )
    missing = [label for label in classes if label not in given]
    if missing:
        raise DataError(f"{setting} has no weight for the class {some(map(repr, missing))}; give one for every class.")
    return np.array([given[label] for label in classes])

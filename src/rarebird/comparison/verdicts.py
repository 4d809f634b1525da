"""Differences between recipes in each metric, on the splits that both have, and the verdicts on all of them at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rarebird.comparison import paired_test
from rarebird.comparison.paired_test import Difference
from rarebird.comparison.repeated_splits import RepeatedCrossValidation
from rarebird.comparison.result import Row, larger_is_better
from rarebird.data.dataset import Dataset
from rarebird.metrics import names

# Metrics that are scored beside the one that decides; and the recall of each class, up to this number of classes.
OF_CLASSES = (
    *("balanced_accuracy", "accuracy", "macro_f1", "matthews_corrcoef", "geometric_mean"),
    *("average_precision", "roc_auc", "log_loss", "brier_score", "expected_calibration_error"),
)
MOST_CLASSES = 30


@dataclass(frozen=True)
class Contrast:
    """A recipe against another one.

    Attributes:
        name: The remedy that makes the difference.
        recipe, other: The recipe with it and the one without it, by their names in the `RepeatedCrossValidation`.
        repeats: The repeats whose splits are used.
    """

    name: str
    recipe: str
    other: str
    repeats: Sequence[int]


def scored_metrics(train: Dataset, metric: str) -> tuple[str, ...]:
    """The metrics of a comparison: the one that decides, those of the task, and the recall of each class."""
    if train.task == "regression":
        return tuple(dict.fromkeys([metric, *names.OF_VALUES]))
    recalls = [f"recall:{label}" for label in train.classes] if train.n_classes <= MOST_CLASSES else []
    return tuple(dict.fromkeys([metric, *OF_CLASSES, *recalls]))


def rows_of(contrasts: Sequence[Contrast], validation: RepeatedCrossValidation, metric: str) -> list[Row]:
    """A row per contrast; verdicts are on `metric`, and share one level among all contrasts that could be tested.

    Recipes that were trained for a small share of their own steps get no verdict.
    """
    why = [_why(contrast, validation) for contrast in contrasts]
    tested = [place for place, reason in enumerate(why) if not reason]
    found = [_differences(contrast, validation, max(len(tested), 1)) for contrast in contrasts]
    verdicts = dict(zip(tested, paired_test.verdicts([found[place][metric] for place in tested]), strict=True))
    if not validation.course.is_judged:
        verdicts = dict.fromkeys(tested, "too few steps to tell")
    return [
        Row(
            remedy=contrast.name,
            value=mean(validation, contrast.recipe, metric, contrast.repeats),
            other=mean(validation, contrast.other, metric, contrast.repeats),
            difference=found[place][metric],
            verdict=verdicts.get(place, "too few rows to tell"),
            why=why[place],
            metrics=found[place],
        )
        for place, contrast in enumerate(contrasts)
    ]


def mean(validation: RepeatedCrossValidation, name: str, metric: str, repeats: Sequence[int]) -> float:
    """A recipe's mean over the splits on which the metric is defined; NaN if there are none."""
    return _mean(validation.values(name, metric, repeats))


def gain(validation: RepeatedCrossValidation, contrast: Contrast, metric: str) -> float:
    """The mean difference of a contrast, signed so that larger is better; NaN if there is none."""
    return _mean(_signed_differences(contrast, validation, metric))


def _differences(contrast: Contrast, validation: RepeatedCrossValidation, comparisons: int) -> Mapping[str, Difference]:
    ratio = validation.test_to_train
    return {
        metric: paired_test.corrected(_signed_differences(contrast, validation, metric), ratio, comparisons)
        for metric in validation.metrics
    }


def _signed_differences(contrast: Contrast, validation: RepeatedCrossValidation, metric: str) -> np.ndarray:
    """``(splits,)`` differences; those of losses and errors change their sign, so that larger is better."""
    differences = validation.differences(contrast.recipe, metric, contrast.other, contrast.repeats)
    return differences if larger_is_better(metric) else -differences


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def _why(contrast: Contrast, validation: RepeatedCrossValidation) -> str:
    """Why a contrast cannot be tested; empty where it can."""
    why = validation.failed.get(contrast.recipe) or validation.failed.get(contrast.other)
    if why is None and not len(
        validation.differences(contrast.recipe, validation.metrics[0], contrast.other, contrast.repeats)
    ):
        why = "there was no time for a split"
    return why or ""

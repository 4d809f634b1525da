"""What is claimed of remedies: differences in each metric on the splits that both recipes have, and the verdicts of all
claims at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rarebird.comparison import paired_test
from rarebird.comparison.paired_test import Difference
from rarebird.comparison.repeated_splits import Repeats
from rarebird.comparison.result import Row, larger_is_better


@dataclass(frozen=True)
class Claim:
    """That a recipe differs from another.

    Attributes:
        name: What is claimed to make the difference.
        recipe, beside: With it and without it, as `Repeats` names them.
        repeats: On which splits.
    """

    name: str
    recipe: str
    beside: str
    repeats: Sequence[int]


def rows_of(claims: Sequence[Claim], trained: Repeats, metric: str) -> list[Row]:
    """A row per claim; the verdicts are of `metric`, and share one level among all that could be judged."""
    why = [_why(claim, trained) for claim in claims]
    judged = [place for place, reason in enumerate(why) if not reason]
    found = [_differences(claim, trained, max(len(judged), 1)) for claim in claims]
    verdicts = dict(zip(judged, paired_test.verdicts([found[place][metric] for place in judged]), strict=True))
    return [
        Row(
            remedy=claim.name,
            value=mean(trained, claim.recipe, metric, claim.repeats),
            beside=mean(trained, claim.beside, metric, claim.repeats),
            difference=found[place][metric],
            verdict=verdicts.get(place, "too few rows to tell"),
            why=why[place],
            metrics=found[place],
        )
        for place, claim in enumerate(claims)
    ]


def mean(trained: Repeats, name: str, metric: str, repeats: Sequence[int]) -> float:
    """A recipe's mean over the splits where the metric is defined; NaN where there are none."""
    values = trained.values(name, metric, repeats)
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def gain(trained: Repeats, name: str, metric: str, beside: str, repeats: Sequence[int]) -> float:
    """The mean difference of a recipe to another, turned so that larger is better; NaN where there is none."""
    differences = _turned(metric) * trained.differences(name, metric, beside, repeats)
    return float(np.nanmean(differences)) if np.isfinite(differences).any() else float("nan")


def _differences(claim: Claim, trained: Repeats, comparisons: int) -> Mapping[str, Difference]:
    return {
        metric: paired_test.corrected(
            _turned(metric) * trained.differences(claim.recipe, metric, claim.beside, claim.repeats),
            1 / (trained.folds - 1),
            comparisons,
        )
        for metric in trained.metrics
    }


def _turned(metric: str) -> float:
    return 1.0 if larger_is_better(metric) else -1.0


def _why(claim: Claim, trained: Repeats) -> str:
    """Why a claim cannot be judged; empty where it can."""
    why = trained.failed.get(claim.recipe) or trained.failed.get(claim.beside)
    if why is None and not len(trained.differences(claim.recipe, trained.metrics[0], claim.beside, claim.repeats)):
        why = "there was no time for a split"
    return why or ""

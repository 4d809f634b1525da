"""Means and standard errors of scores at rising strengths of a penalty, and the one-standard-error rule.

The rule chooses the strongest penalty whose mean held-out score is within one standard error of the best one's: the
simplest model that the rows cannot distinguish from the best (Breiman, Friedman, Olshen and Stone, "Classification and
Regression Trees", 1984; Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning", 2009, section 7.10).

NOTE[DIFF]: with repeated splits, the standard error is still that of one split. All repeats share their rows, so more
repeats make the mean less noisy but not more certain. The other approximation is the textbook's own: the networks of
the parts share training rows, so their scores are not independent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rarebird.core.checks import require

# One split's ``(parts,)`` scores on the rows that were trained on, and on the held-out ones.
Scored = tuple[np.ndarray, np.ndarray]
# Scores that differ by less are equal: sums of the same numbers in another order may differ that much.
SAME = 1e-9


@dataclass(frozen=True)
class Point:
    """The scores at one strength.

    Attributes:
        strength: The penalty's strength.
        training, validation: Mean score over the parts on rows that the networks were trained on, and on held-out rows;
            NaN where there is none.
        training_error, validation_error: Their standard errors over the parts; NaN for fewer than two parts.
        why: Why there is no score; empty where there is one.
    """

    strength: float
    training: float
    training_error: float
    validation: float
    validation_error: float
    why: str = ""


def points_of(scored: Mapping[float, Sequence[Scored]], failed: Mapping[float, str]) -> list[Point]:
    """A point per strength that was tried.

    Args:
        scored: Strength -> scores of its splits, in the same order for all. Splits that some strengths lack are left
            out, so that all means are over the same parts. If some strengths lack even the first split, the others keep
            it.
        failed: Strength -> why it could not be trained.
    """
    whole = min((len(splits) for strength, splits in scored.items() if strength not in failed), default=0)
    points = []
    for strength, splits in scored.items():
        kept = splits[: max(whole, 1)]
        if strength in failed:
            points.append(Point(strength, math.nan, math.nan, math.nan, math.nan, failed[strength]))
        elif kept:
            training, validation = (mean_and_error(part) for part in zip(*kept, strict=True))
            points.append(Point(strength, *training, *validation))
    return points


def mean_and_error(splits: Sequence[np.ndarray]) -> tuple[float, float]:
    """Mean over all parts of all splits, and the standard error of one split's mean; NaN scores are left out.

    Args:
        splits: ``(parts,)`` scores of each split.
    """
    known = [values[np.isfinite(values)] for values in splits]
    squares = [values.var(ddof=1) / len(values) for values in known if len(values) >= 2]
    together = np.concatenate(known)
    return float(together.mean()) if len(together) else math.nan, math.sqrt(np.mean(squares)) if squares else math.nan


def one_standard_error(points: Sequence[Point], larger_is_better: bool) -> tuple[Point, Point]:
    """The best point, and the one-standard-error rule's choice.

    Args:
        points: From weak to strong; points without a validation score are never chosen.
        larger_is_better: Whether larger scores are better.

    Returns:
        The best point (the strongest of equal ones), and the strongest point that is worse than it by at most its
        standard error (by nothing if that is undefined).

    Raises:
        ValueError: No point has a validation score.
    """
    known = [point for point in points if math.isfinite(point.validation)]
    require(bool(known), "at least one point with a score", points=len(points))
    loss = [-point.validation if larger_is_better else point.validation for point in known]
    slack = SAME * max(1.0, abs(min(loss)))
    best = max(place for place, value in enumerate(loss) if value <= min(loss) + slack)
    error = known[best].validation_error
    most = loss[best] + (error if math.isfinite(error) else 0.0) + slack
    return known[best], known[max(place for place, value in enumerate(loss) if value <= most)]

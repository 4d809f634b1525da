"""Figures of a ranking: area under the ROC curve and average precision, exact with ties and weights.

Both depend on the negatives only by their weight at and between the distinct scores of the positives. These sums are
taken once and give both areas; bootstrap replicates are a second axis of the same sums.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rarebird.core.checks import require
from rarebird.metrics.confusion import ratio, sums_by_code


class Ranking(NamedTuple):
    """Weights at and around the distinct scores of the positives, in ascending order; each ``(n_scores,)`` or
    ``(n_scores, replicates)``.

    Attributes:
        positives: Positives at the score.
        ties: Negatives at the score.
        below: Negatives below the score.
        negatives: ``()`` or ``(replicates,)``, all negatives.
    """

    positives: np.ndarray
    ties: np.ndarray
    below: np.ndarray
    negatives: np.ndarray


def rank(positive: np.ndarray, scores: np.ndarray, weight: np.ndarray) -> Ranking:
    """The sums from which both areas are computed.

    Args:
        positive: ``(n,)`` bool.
        scores: ``(n,)``, larger for rows that are more likely positive.
        weight: ``(n,)``, or ``(n, replicates)``.
    """
    require(
        len(positive) == len(scores) == len(weight),
        "one score and weight per row",
        n=len(positive),
        scores=len(scores),
        weight=len(weight),
    )
    distinct, place = np.unique(scores[positive], return_inverse=True)
    others = scores[~positive]
    # Even codes lie between two distinct scores of positives, odd ones at such a score.
    codes = np.searchsorted(distinct, others, side="left") + np.searchsorted(distinct, others, side="right")
    sums = sums_by_code(codes, 2 * len(distinct) + 1, weight[~positive])
    ties = sums[1::2]
    through = np.cumsum(sums[:-1:2] + np.concatenate([np.zeros_like(ties[:1]), ties[:-1]]), axis=0)
    return Ranking(sums_by_code(place, len(distinct), weight[positive]), ties, through, sums.sum(axis=0))


def roc_auc_of(ranking: Ranking) -> np.ndarray:
    """Probability that a positive scores above a negative, ties counted half (Hanley & McNeil 1982); NaN without
    positives or without negatives."""
    won = (ranking.positives * (ranking.below + 0.5 * ranking.ties)).sum(axis=0)
    return ratio(won, ranking.positives.sum(axis=0) * ranking.negatives)


def average_precision_of(ranking: Ranking) -> np.ndarray:
    """Mean precision over the positives, each at its own score, without interpolation; NaN without positives."""
    total = ranking.positives.sum(axis=0)
    reached = np.cumsum(ranking.positives[::-1], axis=0)[::-1]
    # Rounding can leave a tiny negative weight above the highest score.
    false = np.maximum(ranking.negatives - ranking.below, 0.0)
    precisions = np.nan_to_num(ratio(reached, reached + false))
    return ratio((ranking.positives * precisions).sum(axis=0), total)


def roc_auc(positive: np.ndarray, scores: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of one class against the rest.

    Args:
        positive: ``(n,)`` bool, rows of the class.
        scores: ``(n,)``.
        weight: ``(n,)``, or ``(n, replicates)``.

    Returns:
        ``()``, or ``(replicates,)``; NaN without positives or without negatives.
    """
    return roc_auc_of(rank(positive, scores, weight))


def average_precision(positive: np.ndarray, scores: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Average precision of one class against the rest; arguments and result as for `roc_auc`."""
    return average_precision_of(rank(positive, scores, weight))


def auc_errors(positive: np.ndarray, scores: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """``(n,)`` each row's part in the error of the ROC AUC: its placement among the rows of the other side minus the
    area (DeLong et al. 1988), times its share of its side's weight. Arguments as for `roc_auc`, with one weight per
    row; both sides have rows."""
    won = _weight_below(scores, scores[~positive], weight[~positive]) / weight[~positive].sum()
    lost = _weight_below(scores, scores[positive], weight[positive]) / weight[positive].sum()
    return _centered(positive, np.where(positive, won, -lost), weight)


def average_precision_errors(positive: np.ndarray, scores: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """``(n,)`` each row's part in the error of the average precision: the figure's derivative by the row's weight
    (influence function: Hampel 1974), centered in each class, whose number of rows is given. Arguments as for
    `roc_auc`, with one weight per row."""
    order = np.argsort(-scores, kind="stable")
    reached, passed = (np.cumsum(np.where(side, weight, 0.0)[order]) for side in (positive, ~positive))
    # All rows of one score are reached at once: each row has the sums at the last row of its score.
    _, first, place = np.unique(-scores[order], return_index=True, return_inverse=True)
    last = np.append(first[1:], len(scores)) - 1
    hits, false = reached[last][place], passed[last][place]
    of_positives = np.where(positive, weight, 0.0)[order] / ((hits + false) ** 2).clip(1e-300)
    gained, lost = (np.cumsum((of_positives * part)[::-1])[::-1][first][place] for part in (false, hits))
    effect = np.empty(len(scores))
    effect[order] = np.where(positive[order], hits / (hits + false).clip(1e-300) + gained, -lost)
    total = float(weight[positive].sum())
    errors = _centered(positive, effect, weight)
    return np.where(positive, errors, errors * weight[~positive].sum() / total)


def _weight_below(scores: np.ndarray, others: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """``(n,)`` the weight of the `others` that score less than each row, those of equal score counting half."""
    order = np.argsort(others, kind="stable")
    sums = np.append(0.0, np.cumsum(weight[order]))
    below = sums[np.searchsorted(others[order], scores, side="left")]
    at_or_below = sums[np.searchsorted(others[order], scores, side="right")]
    return np.asarray((below + at_or_below) / 2)


def _centered(positive: np.ndarray, values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Values minus their weighted mean on their side, times the share that a row has of its side's weight."""
    errors = np.zeros(len(values))
    for side in (positive, ~positive):
        total = weight[side].sum()
        if total > 0:
            errors[side] = weight[side] * (values[side] - np.average(values[side], weights=weight[side])) / total
    return errors


def areas(
    y: np.ndarray, probabilities: np.ndarray, weight: np.ndarray, positive: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """ROC AUC and average precision of the positive class, or their means over the classes, one against the rest.

    Args:
        y: ``(n,)`` codes.
        probabilities: ``(n, n_classes)``.
        weight: ``(n,)``, or ``(n, replicates)``.
        positive: The positive class; None: the mean over the classes that have rows.

    Returns:
        Two times ``()`` or ``(replicates,)``, NaN where undefined.
    """
    classes = np.unique(y) if positive is None else np.array([positive])
    totals = np.zeros((2, *weight.shape[1:]))
    defined = np.zeros_like(totals)
    for code in classes:
        ranking = rank(y == code, probabilities[:, code], weight)
        values = np.stack([roc_auc_of(ranking), average_precision_of(ranking)])
        totals += np.nan_to_num(values)
        defined += ~np.isnan(values)
    auc, precision = ratio(totals, defined)
    return auc, precision


def precision_recall_curve(
    positive: np.ndarray, scores: np.ndarray, weight: np.ndarray, most: int = 200
) -> dict[str, list[float]]:
    """Coordinates of the precision-recall curve, recall ascending.

    Args:
        positive: ``(n,)`` bool.
        scores: ``(n,)``.
        weight: ``(n,)``.
        most: Largest number of points; those kept are spread evenly over the recalls.

    Returns:
        ``{"recall": [...], "precision": [...]}``; both empty without positives.
    """
    ranking = rank(positive, scores, weight)
    reached = np.cumsum(ranking.positives[::-1])
    if not len(reached) or reached[-1] <= 0:
        return {"recall": [], "precision": []}
    false = np.maximum(ranking.negatives - ranking.below, 0.0)[::-1]
    recall, precision = reached / reached[-1], np.nan_to_num(ratio(reached, reached + false))
    if len(recall) > most:
        kept = np.unique(np.searchsorted(recall, np.linspace(recall[0], 1.0, most)).clip(max=len(recall) - 1))
        recall, precision = recall[kept], precision[kept]
    return {"recall": recall.tolist(), "precision": precision.tolist()}


def roc_curve(positive: np.ndarray, scores: np.ndarray, weight: np.ndarray, most: int = 200) -> dict[str, list[float]]:
    """Coordinates of the ROC curve, from ``(0, 0)`` to ``(1, 1)``: one point for each distinct score, so that ties are
    a slope, as the area counts them.

    Args:
        positive: ``(n,)`` bool.
        scores: ``(n,)``.
        weight: ``(n,)``.
        most: Largest number of points; those kept are spread evenly along the curve.

    Returns:
        ``{"false_positive_rate": [...], "recall": [...]}``; both empty without positives or without negatives.
    """
    _, place = np.unique(-scores, return_inverse=True)
    hits, alarms = (np.concatenate([[0.0], np.cumsum(np.bincount(place, weight * of))]) for of in (positive, ~positive))
    if hits[-1] <= 0 or alarms[-1] <= 0:
        return {"false_positive_rate": [], "recall": []}
    recall, false = hits / hits[-1], alarms / alarms[-1]
    if len(recall) > most:
        kept = np.unique(np.searchsorted(recall + false, np.linspace(0.0, 2.0, most)).clip(max=len(recall) - 1))
        recall, false = recall[kept], false[kept]
    return {"false_positive_rate": false.tolist(), "recall": recall.tolist()}

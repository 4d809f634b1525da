"""The 95 % intervals of figures on scored rows: from Wilson's intervals of the classes' shares where these decide the
figure, score intervals for rankings, and the bootstrap for losses; `docs/statistics.md` lists them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rarebird.core import rng
from rarebird.evaluation.estimate import Estimate
from rarebird.metrics import confusion, ranking, uncertainty
from rarebird.metrics.calibration import expected_calibration_error_interval
from rarebird.metrics.confusion import Counts
from rarebird.metrics.names import OF_LABELS, OF_PROBABILITIES, OF_RANKING, PER_CLASS

CALIBRATION_ERROR = "expected_calibration_error"
# Rows by which the noise of an average precision is smoothed: z^2, as in Agresti & Coull (1998).
ADDED_ROWS = uncertainty.Z**2


@dataclass(frozen=True, eq=False)
class ClassPredictions:
    """Predicted classes to score, with the true ones.

    Attributes:
        y: ``(n,)`` true codes.
        probabilities: ``(n, n_classes)`` under the natural prior.
        predicted: ``(n,)`` decided codes.
        weight: ``(n,)`` sample weights; None for all ones.
        group: ``(n,)`` group labels; None where rows are independent.
        positive: Code of the positive class; None for more than two classes.
    """

    y: np.ndarray
    probabilities: np.ndarray
    predicted: np.ndarray
    weight: np.ndarray | None
    group: np.ndarray | None
    positive: int | None

    @property
    def n_classes(self) -> int:
        return int(self.probabilities.shape[1])

    @property
    def weights(self) -> np.ndarray:
        return np.ones(len(self.y)) if self.weight is None else self.weight

    def share(self, rows: np.ndarray, hit: np.ndarray) -> tuple[float, float, float, np.ndarray]:
        """The share of the chosen rows that are a hit, the ends of its interval, and each row's part in its error.

        Args:
            rows: ``(n,)`` bool, of some weight.
            hit: ``(n,)`` bool.
        """
        weight = np.where(rows, self.weights, 0.0)
        value = float(np.average(hit, weights=weight))
        residual = np.where(rows, hit - value, 0.0)
        n = uncertainty.effective_rows(weight[rows], residual[rows], None if self.group is None else self.group[rows])
        low, high = uncertainty.wilson(value, n)
        return value, float(low), float(high), weight * residual / weight.sum()


def label_estimates(scored: ClassPredictions, counts: Counts) -> dict[str, Estimate]:
    """The figures of predicted labels.

    The recalls of the classes are independent shares, which decide every figure where the mix of classes is given; a
    mistake that an interval adds or takes away goes where the class's mistakes go.
    """
    positive = scored.positive
    present = np.flatnonzero(counts.support > 0)
    shares = [scored.share(scored.y == code, scored.predicted == code) for code in present]
    correlation = uncertainty.group_correlation(np.stack([share[3] for share in shares]), scored.group)
    matrix = confusion.confusion_matrix(scored.y, scored.predicted, scored.n_classes, scored.weights)
    ends = np.array([end for _, low, high, _ in shares for end in (low, high)])
    moved = confusion.with_recalls(matrix, np.repeat(present, 2), ends)
    estimates = {
        name: _of_shares(float(figure(counts, positive)), figure(moved, positive), correlation)
        for name, figure in OF_LABELS.items()
    }
    accuracy, low, high, _ = scored.share(np.ones(len(scored.y), dtype=bool), scored.predicted == scored.y)
    estimates["accuracy"] = Estimate(value=accuracy, low=low, high=high)
    if positive is None and len(present) > 1:
        # Where mistakes go decides it, so that its own shares do: that of the other rows not taken for each class.
        others = [scored.share(scored.y != code, scored.predicted != code) for code in present]
        estimates["specificity"] = _mean_of(others, scored.group)
    if any(share[0] == 0 for share in shares):
        # Several recalls of 0 make a product of 0 whichever of them alone is another: they move together.
        most = float(np.prod([share[2] if share[0] == 0 else share[0] for share in shares]))
        estimates["geometric_mean"] = Estimate(value=0.0, low=0.0, high=most ** (1 / len(shares)))
    if positive is not None and counts.support[positive] > 0:
        of_class = class_estimates(scored, counts, positive)
        estimates |= of_class | {"sensitivity": of_class["recall"]}
    return estimates


def class_estimates(scored: ClassPredictions, counts: Counts, code: int) -> dict[str, Estimate]:
    """Recall, precision and F1 of one class that has rows, from two independent shares: that of its rows which are
    found, and that of the other rows which are predicted as it."""
    of_class = scored.y == code
    shares = [scored.share(of_class, scored.predicted == code)]
    if counts.support.sum() > counts.support[code]:
        shares.append(scored.share(~of_class, scored.predicted == code))
    correlation = uncertainty.group_correlation(np.stack([share[3] for share in shares]), scored.group)
    rates = np.tile([shares[0][0], shares[1][0] if len(shares) > 1 else 0.0], (2 * len(shares), 1))
    for place, (_, low, high, _) in enumerate(shares):
        rates[2 * place : 2 * place + 2, place] = low, high
    support = float(counts.support[code])
    hits = rates[:, 0] * support
    predicted = hits + rates[:, 1] * (counts.support.sum() - support)
    moved = Counts(hits[None], np.full((1, len(hits)), support), predicted[None])
    return {
        name: _of_shares(float(figure(counts)[code]), figure(moved)[0], correlation)
        for name, figure in PER_CLASS.items()
    }


def ranking_estimates(scored: ClassPredictions) -> dict[str, Estimate]:
    """The areas under the ranking curves: of the positive class, or means over the classes."""
    codes = np.unique(scored.y) if scored.positive is None else np.array([scored.positive])
    found: dict[str, list[tuple[float, float, float, np.ndarray]]] = {name: [] for name in OF_RANKING}
    for code in codes:
        for name, interval in zip(OF_RANKING, (_roc_auc, _average_precision), strict=True):
            one = interval(scored, int(code))
            if one is not None:
                found[name].append(one)
    return {name: _mean_of(areas, scored.group) for name, areas in found.items()}


def probability_estimates(scored: ClassPredictions, seed: int) -> dict[str, Estimate]:
    """Losses, with the bootstrap's intervals, and the calibration error."""
    losses = {name: figure for name, figure in OF_PROBABILITIES.items() if name != CALIBRATION_ERROR}
    draws: dict[str, list[np.ndarray]] = {name: [] for name in losses}
    replicates = uncertainty.replicates_for(len(scored.y))
    for drawn in uncertainty.bootstrap_weights(scored.y, scored.group, replicates, rng.stream(seed, "bootstrap")):
        drawn = drawn if scored.weight is None else drawn * scored.weight[:, None]
        for name, figure in losses.items():
            draws[name].append(figure(scored.y, scored.probabilities, drawn))
    estimates = {
        name: _of_loss(scored, figure, bootstrap_estimate(_value(scored, figure), np.concatenate(draws[name])))
        for name, figure in losses.items()
    }
    low, high = expected_calibration_error_interval(scored.y, scored.probabilities, scored.weights, scored.group)
    value = _value(scored, OF_PROBABILITIES[CALIBRATION_ERROR])
    return estimates | {CALIBRATION_ERROR: Estimate(value=value, low=low, high=high)}


def bootstrap_estimate(value: float, draws: np.ndarray) -> Estimate:
    """A figure with its bootstrap interval; None where it is undefined."""
    if np.isnan(value):
        return Estimate(value=None)
    low, high = uncertainty.percentile(draws, value) or (None, None)
    return Estimate(value=value, low=low, high=high)


def _value(scored: ClassPredictions, figure: Callable[..., np.ndarray]) -> float:
    return float(figure(scored.y, scored.probabilities, scored.weights))


def _of_loss(scored: ClassPredictions, figure: Callable[..., np.ndarray], estimate: Estimate) -> Estimate:
    """The estimate with an upper end of at least the loss that the rows leave possible where none of them is wrong:
    Wilson's upper end of a share of 0, times what a row of the least probable class adds."""
    assert estimate.value is not None
    worst = float(figure(scored.probabilities.argmin(axis=1), scored.probabilities, scored.weights))
    stated = scored.probabilities[np.arange(len(scored.y)), scored.y]
    n = uncertainty.effective_rows(scored.weights, stated - np.average(stated, weights=scored.weights), scored.group)
    possible = estimate.value + float(uncertainty.wilson(0.0, n)[1]) * max(worst - estimate.value, 0.0)
    return estimate.model_copy(update={"high": max(estimate.high or 0.0, possible)})


def _of_shares(value: float, moved: np.ndarray, correlation: np.ndarray) -> Estimate:
    """A figure whose values at the two ends of each share's interval are `moved`, ``(2 k,)``; None where it is
    undefined."""
    if np.isnan(value):
        return Estimate(value=None)
    at_ends = np.where(np.isnan(moved), value, moved)
    low, high = uncertainty.square_and_add(value, at_ends[::2], at_ends[1::2], correlation)
    return Estimate(value=value, low=low, high=high)


Area = tuple[float, float, float, np.ndarray]


def _roc_auc(scored: ClassPredictions, code: int) -> Area | None:
    """Area, interval and each row's part in the error; None where it is undefined."""
    positive, scores, weight = scored.y == code, scored.probabilities[:, code], scored.weights
    area = float(ranking.roc_auc(positive, scores, weight))
    if np.isnan(area):
        return None
    errors = ranking.auc_errors(positive, scores, weight)
    sizes = _sizes(scored, positive, errors)
    return area, *uncertainty.auc_interval(area, *sizes), errors


def _average_precision(scored: ClassPredictions, code: int) -> Area | None:
    """As `_roc_auc`: a mean of values in 0..1 over the positives, so that its variance is at most that of a share of
    them (Boyd et al. 2013 take that one); Wilson's interval on the number of rows that its own variance answers to,
    smoothed by `ADDED_ROWS` rows of the largest variance."""
    positive, scores, weight = scored.y == code, scored.probabilities[:, code], scored.weights
    area = float(ranking.average_precision(positive, scores, weight))
    if np.isnan(area):
        return None
    errors = ranking.average_precision_errors(positive, scores, weight)
    n, others = _sizes(scored, positive, errors)
    most = area * (1 - area) / n
    variance = sum(
        float((errors[side] ** 2).sum()) * rows / max(rows - 1, 1) * rows / size
        for side, size in ((positive, n), (~positive, others))
        if (rows := uncertainty.effective_size(weight[side])) > 0
    )
    smoothed = (n * variance + ADDED_ROWS * most) / (n + ADDED_ROWS)
    low, high = uncertainty.wilson(area, n if smoothed <= 0 or most <= 0 else max(area * (1 - area) / smoothed, n))
    return area, float(low), float(high), errors


def _sizes(scored: ClassPredictions, positive: np.ndarray, errors: np.ndarray) -> tuple[float, float]:
    """Effective numbers of positives and negatives for a figure with these errors; errors of the two sides that cancel,
    or add up, in groups that hold both, count as more, or fewer, rows (clustered ROC curves: Obuchowski 1997)."""
    group, weight = scored.group, scored.weights
    sides = (positive, ~positive)
    both = 1.0
    if group is not None:
        _, code = np.unique(group, return_inverse=True)
        sums = [np.bincount(code, np.where(side, errors, 0.0)) for side in sides]
        apart = float((sums[0] ** 2).sum() + (sums[1] ** 2).sum())
        both = float(((sums[0] + sums[1]) ** 2).sum()) / apart if apart > 0 else 1.0
    sizes = []
    for side in sides:
        rows = uncertainty.effective_size(weight[side])
        if rows <= 0:
            sizes.append(0.0)
            continue
        residual = errors[side] * weight[side].sum() / weight[side].clip(1e-300)
        own = None if group is None else group[side]
        n = uncertainty.effective_rows(weight[side], residual, own)
        least = uncertainty.effective_rows(weight[side], np.zeros(int(side.sum())), own)
        sizes.append(float(np.clip(n / max(both, 1e-9), min(least, rows), rows)))
    return sizes[0], sizes[1]


def _mean_of(areas: Sequence[Area], group: np.ndarray | None) -> Estimate:
    """The mean of one figure of each class; classes without errors count as wholly dependent, which makes the interval
    at most too wide."""
    if not areas:
        return Estimate(value=None)
    values, lows, highs = (np.array([area[part] for area in areas]) for part in range(3))
    value = float(values.mean())
    correlation = uncertainty.group_correlation(np.stack([area[3] for area in areas]), group, unknown=1.0)
    k = len(areas)
    low, high = uncertainty.square_and_add(
        value, value + (lows - values) / k, value + (highs - values) / k, correlation
    )
    return Estimate(value=value, low=low, high=high)

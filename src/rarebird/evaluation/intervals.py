"""The 95 % intervals of figures on scored rows: Wilson's for shares of rows, the bootstrap's for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rarebird.core import rng
from rarebird.evaluation.result import Estimate
from rarebird.metrics import confusion, ranking, uncertainty
from rarebird.metrics.confusion import Counts
from rarebird.metrics.names import OF_LABELS, OF_PROBABILITIES, OF_RANKING, PER_CLASS

# Name of a figure -> its value in each bootstrap replicate.
Draws = dict[str, np.ndarray]


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

    def effective_size(self, rows: np.ndarray) -> float:
        """The number of the chosen rows, ``(n,)`` bool; the effective number where rows are weighted."""
        return uncertainty.effective_size(self.weights[rows])


def bootstrap(scored: ClassPredictions, seed: int) -> tuple[Draws, Draws]:
    """Each figure in each replicate, ``(replicates,)`` over all classes and ``(n_classes, replicates)`` per class."""
    n, passes = len(scored.y), 1 if scored.positive is not None else scored.n_classes
    replicates, n_ranking = uncertainty.replicates_for(n), uncertainty.replicates_for(n, passes)
    overall: list[Draws] = []
    areas: list[Draws] = []
    per_class: list[Draws] = []
    done = 0
    for drawn in uncertainty.bootstrap_weights(scored.y, scored.group, replicates, rng.stream(seed, "bootstrap")):
        drawn = drawn if scored.weight is None else drawn * scored.weight[:, None]
        counts = confusion.tally(scored.y, scored.predicted, scored.n_classes, drawn)
        overall.append({name: figure(counts, scored.positive) for name, figure in OF_LABELS.items()})
        overall[-1] |= {
            name: figure(scored.y, scored.probabilities, drawn) for name, figure in OF_PROBABILITIES.items()
        }
        per_class.append({name: figure(counts) for name, figure in PER_CLASS.items()})
        if done < n_ranking:
            areas.append(ranking_areas(scored, drawn[:, : n_ranking - done]))
        done += drawn.shape[1]
    return concatenate(overall) | concatenate(areas), concatenate(per_class)


def ranking_areas(scored: ClassPredictions, weight: np.ndarray) -> Draws:
    """The areas under the ranking curves, for one weight per row or for one column of weights per replicate."""
    return dict(zip(OF_RANKING, ranking.areas(scored.y, scored.probabilities, weight, scored.positive), strict=True))


def concatenate(parts: Sequence[Draws]) -> Draws:
    """The replicates of all parts, side by side."""
    return {name: np.concatenate([part[name] for part in parts], axis=-1) for name in parts[0]}


def estimate(name: str, value: float, draws: np.ndarray) -> Estimate:
    """A figure with its bootstrap interval; None where it is undefined."""
    if np.isnan(value):
        return Estimate(value=None)
    interval = uncertainty.reflected if name == "expected_calibration_error" else uncertainty.percentile
    low, high = interval(draws, value) or (None, None)
    return Estimate(value=value, low=low, high=high)


def share_estimate(value: float, n: float) -> Estimate:
    """A share of `n` rows with Wilson's interval; None where it is undefined."""
    if np.isnan(value) or n <= 0:
        return Estimate(value=None)
    low, high = uncertainty.wilson(value, n)
    return Estimate(value=value, low=min(float(low), value), high=max(float(high), value))


def mean_recall(scored: ClassPredictions, counts: Counts) -> Estimate:
    """The mean of the recalls with the combination of their Wilson intervals."""
    present = np.flatnonzero(counts.support > 0)
    recalls = confusion.recall(counts)[present]
    low, high = uncertainty.mean_of_shares(
        recalls, np.array([scored.effective_size(scored.y == code) for code in present])
    )
    value = float(confusion.balanced_accuracy(counts))
    return Estimate(value=value, low=min(low, value), high=max(high, value))

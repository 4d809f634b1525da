"""What a classifier of one class learns from new rows: with them, and from them in place of real ones."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from rarebird.metrics.boosted_scores import trees
from rarebird.metrics.ranking import average_precision
from rarebird.metrics.uncertainty import bootstrap_weights
from rarebird.slots.gate_verdict import Usefulness

# Held-out rows of a class that an interval needs; draws of the bootstrap.
FEWEST_ROWS, DRAWS = 6, 300


@dataclass
class Judged:
    """Scores of held-out rows, part by part: after real rows, after real and new ones, after new ones alone.

    Attributes:
        scores: ``(3, n)`` for each part; ranks, so that parts can be pooled.
        is_own: ``(n,)`` for each part, whether a row is of the class.
    """

    scores: list[np.ndarray] = field(default_factory=list)
    is_own: list[np.ndarray] = field(default_factory=list)

    def add(
        self,
        known: tuple[np.ndarray, np.ndarray],
        made: np.ndarray,
        held: tuple[np.ndarray, np.ndarray],
        draw: np.random.Generator,
    ) -> None:
        """Train the three classifiers and score held-out rows.

        Args:
            known: ``(m, d)`` features of known rows, and whether they are of the class.
            made: ``(k, d)`` features of new rows of the class.
            held: ``(n, d)`` features of held-out rows, and whether they are of the class.
            draw: The classifiers' seeds.
        """
        points, is_own = known
        sets = [
            (points, is_own),
            (np.concatenate([points, made]), np.concatenate([is_own, np.ones(len(made), bool)])),
            (np.concatenate([points[~is_own], made]), np.arange(len(points[~is_own]) + len(made)) >= (~is_own).sum()),
        ]
        scores = [trees(rows, y, draw)(held[0]) for rows, y in sets]
        ranks = [np.unique(one, return_inverse=True)[1] / max(len(one), 1) for one in scores]
        self.scores.append(np.stack(ranks))
        self.is_own.append(held[1])


def usefulness(judged: Judged, draw: np.random.Generator) -> Usefulness | None:
    """The figures of a class; None where too few rows, or no others, are held out."""
    if not judged.scores:
        return None
    scores, is_own = np.concatenate(judged.scores, axis=1), np.concatenate(judged.is_own)
    if is_own.sum() < FEWEST_ROWS or is_own.all():
        return None
    weight = np.ones(len(is_own))
    real, both, synthetic = (average_precision(is_own, one, weight) for one in scores)
    drawn = np.concatenate(list(bootstrap_weights(is_own.astype(np.int64), None, DRAWS, draw)), axis=1)
    apart = average_precision(is_own, scores[1], drawn) - average_precision(is_own, scores[0], drawn)
    low, high = np.quantile(apart, [0.025, 0.975])
    precisions, recalled = zip(*(_curve(is_own, one) for one in scores[:2]), strict=True)
    # Where real rows find half of the class; at this precision or a better one, which share is found?
    precision = precisions[0][np.searchsorted(recalled[0], 0.5)]
    recalls = [found[at >= precision].max(initial=0.0) for at, found in zip(precisions, recalled, strict=True)]
    values = [round(float(value), 4) for value in (real, both, synthetic, low, high, precision, *recalls)]
    names = ("real", "both", "synthetic", "low", "high", "precision", "recall_real", "recall_both")
    return Usefulness(**dict(zip(names, values, strict=True)))


def _curve(is_own: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall at each distinct score, recall ascending."""
    _, place = np.unique(-scores, return_inverse=True)
    own = np.bincount(place, is_own).cumsum()
    found = np.bincount(place).cumsum()
    return own / found, own / own[-1]

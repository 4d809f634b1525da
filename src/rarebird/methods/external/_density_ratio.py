"""How plausible rows of another source are among own rows: a clipped density ratio by a cross-fitted classifier."""

from __future__ import annotations

import numpy as np

from rarebird.metrics.two_sample import Components, halves

# Rows of each set that one half of the classifier learns from, at most; strength of its ridge, of the mean loss.
MOST_ROWS, RIDGE = 2_500, 0.02
NEWTON_STEPS = 8
LARGEST_LOGIT = 30.0


def density_ratio(
    own: np.ndarray,
    own_weight: np.ndarray,
    unit: np.ndarray,
    other: np.ndarray,
    other_weight: np.ndarray,
    draw: np.random.Generator,
) -> tuple[np.ndarray, float]:
    """``(m,)`` ratios of the own density to the other one, at most 1, and the area under the ROC curve.

    A logistic regression on principal components tells the sets apart; each half of the rows is judged by the other
    half's. Its logits are calibrated by a slope and a bias, so that sets that cannot be told apart have a ratio of 1.

    Args:
        own: ``(n, d)`` features of own rows.
        own_weight: ``(n,)``, above 0 where a row counts.
        unit: ``(n,)`` codes of own rows that stay together (groups, copies).
        other: ``(m, d)`` features of the other rows.
        other_weight: ``(m,)``, above 0 where a row counts.
        draw: Decides the halves.
    """
    pooled = np.concatenate([own, other])
    values = Components.fit(pooled).of(pooled)
    half = np.concatenate([halves(unit, draw), draw.permutation(len(other)) % 2])
    is_own = np.arange(len(pooled)) < len(own)
    weight = np.concatenate([own_weight / own_weight.sum(), other_weight / other_weight.sum()]) / 2
    logits = np.zeros(len(pooled))
    for side in (0, 1):
        learned = np.concatenate(
            [_some(np.flatnonzero((half != side) & (is_own == of) & (weight > 0)), draw) for of in (True, False)]
        )
        fitted = _logistic(values[learned], is_own[learned], _balanced(weight[learned], is_own[learned]), RIDGE)
        logits[half == side] = values[half == side] @ fitted[1:] + fitted[0]
    bias, slope = _logistic(logits[:, None], is_own, weight, 1e-4)
    calibrated = bias + max(slope, 0.0) * logits if slope > 0 else np.zeros(len(logits))
    ratio = np.exp(np.minimum(calibrated[~is_own], 0.0))
    return ratio, _area(logits, is_own, weight)


def _some(rows: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    return rows if len(rows) <= MOST_ROWS else draw.choice(rows, MOST_ROWS, replace=False)


def _balanced(weight: np.ndarray, is_own: np.ndarray) -> np.ndarray:
    """Weights of which both sets have one half."""
    totals = np.where(is_own, weight[is_own].sum(), weight[~is_own].sum())
    return np.asarray(weight / (2 * totals))


def _logistic(values: np.ndarray, y: np.ndarray, weight: np.ndarray, ridge: float) -> np.ndarray:
    """``(1 + d,)`` bias and coefficients of a logistic regression, by Newton's method."""
    design = np.column_stack([np.ones(len(values)), values])
    penalty = ridge * np.eye(design.shape[1])
    penalty[0, 0] = 0.0
    fitted = np.zeros(design.shape[1])
    for _ in range(NEWTON_STEPS):
        probability = 1 / (1 + np.exp(-np.clip(design @ fitted, -LARGEST_LOGIT, LARGEST_LOGIT)))
        gradient = design.T @ (weight * (probability - y)) + penalty @ fitted
        curvature = (design * (weight * np.maximum(probability * (1 - probability), 1e-6))[:, None]).T @ design
        fitted = fitted - np.linalg.solve(curvature + penalty + 1e-9 * np.eye(len(fitted)), gradient)
    return fitted


def _area(scores: np.ndarray, is_own: np.ndarray, weight: np.ndarray) -> float:
    """The weighted area under the ROC curve; ties count half."""
    _, place = np.unique(scores, return_inverse=True)
    own = np.bincount(place, np.where(is_own, weight, 0.0))
    other = np.bincount(place, np.where(is_own, 0.0, weight))
    below = np.cumsum(other) - other / 2
    return float((own * below).sum() / (own.sum() * other.sum()))

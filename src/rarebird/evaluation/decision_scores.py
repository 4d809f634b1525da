"""Scores of a decision on rows that it never saw: the cost of its labels, what it promised, and what it leaves to a
person.

The cost of a row of one class lies between the least and the largest cost of a label for it. So the mean over the class
is a generalized share, whose variance is at most that of a share, and Wilson's interval holds it; exactly so for two
classes. Means over the classes combine by square-and-add, as the other figures of labels do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rarebird.evaluation.decision_result import (
    AbstentionScore,
    CostCurve,
    CostScore,
    DecisionScore,
    DecisionSummary,
    PromiseScore,
)
from rarebird.evaluation.estimate import Estimate
from rarebird.evaluation.intervals import ClassPredictions
from rarebird.metrics import uncertainty
from rarebird.slots.decisions import (
    AbstainingDecision,
    AimedDecision,
    CostlyDecision,
    Promise,
    PromisingDecision,
    RowCostDecision,
)

# What the cost of one class's mistakes is multiplied by in the cost curve.
FACTORS = np.geomspace(0.01, 100, 33)
# Points of the curve of errors against labelled rows.
MOST_POINTS = 100
# ``(rows, hit, scale)``: the mean of `hit`, ``(n,)`` in 0..1, over the chosen rows, times a scale.
Part = tuple[np.ndarray, np.ndarray, float]


def decision_summary(decision: tuple[str, Any] | None, classes: Sequence[str]) -> DecisionSummary | None:
    """What a model's decision serves and promises; None for regression."""
    if decision is None:
        return None
    name, fitted = decision
    goal = fitted.goal(classes) if isinstance(fitted, AimedDecision) else ""
    promises = tuple(fitted.promises) if isinstance(fitted, PromisingDecision) else ()
    return DecisionSummary(name=name, goal=goal, promises=promises)


def decision_score(
    scored: ClassPredictions, decision: Any, classes: Sequence[str], multiple: np.ndarray | None = None
) -> DecisionScore | None:
    """What a fitted decision reaches on these rows; None where it knows no costs, promises nothing and labels all.

    Args:
        scored: The rows.
        decision: The fitted decision.
        classes: The class labels.
        multiple: ``(n,)`` what the costs of the rows are multiplied by, where they are those of each row.
    """
    left = decision.abstains(scored.probabilities) if isinstance(decision, AbstainingDecision) else None
    labels = decision.inner if isinstance(decision, AbstainingDecision) else decision
    promises = decision.promises if isinstance(decision, PromisingDecision) else ()
    found = DecisionScore(
        cost=cost_score(scored, labels.matrix, classes, _row_scale(scored, labels, multiple))
        if isinstance(labels, CostlyDecision)
        else None,
        promises=tuple(PromiseScore(promise=one, observed=_observed(scored, one, left, classes)) for one in promises),
        abstention=None if left is None else _abstention(scored, left, decision, classes),
    )
    return None if found == DecisionScore() else found


def _row_scale(scored: ClassPredictions, decision: Any, multiple: np.ndarray | None) -> np.ndarray:
    """``(n,)`` what the cost of each row is multiplied by: its multiple if it is of the class that has one."""
    ones = np.ones(len(scored.y))
    if multiple is None or not isinstance(decision, RowCostDecision):
        return ones
    return np.where(scored.y == decision.code, multiple, ones)


def cost_score(
    scored: ClassPredictions, costs: np.ndarray, classes: Sequence[str], scale: np.ndarray | None = None
) -> CostScore:
    """The cost of the labels against that of the best constant label and of the most probable class.

    Args:
        scored: The rows with their labels.
        costs: ``(n_classes, n_classes)``, true classes in rows, labels in columns.
        classes: The class labels.
        scale: ``(n,)`` what the cost of each row is multiplied by; None for all ones.
    """
    scale = np.ones(len(scored.y)) if scale is None else scale
    mix = np.bincount(scored.y, scored.weights * scale, scored.n_classes) / scored.weights.sum()
    best = int((mix @ costs).argmin())
    decided, constant, probable = (
        costs[scored.y, labels] * scale for labels in (scored.predicted, best, scored.probabilities.argmax(axis=1))
    )
    return CostScore(
        per_row=_mean_cost(scored, decided, costs, scale),
        constant_label=classes[best],
        constant=_mean_cost(scored, constant, costs, scale),
        most_probable=_mean_cost(scored, probable, costs, scale),
        against_constant=_difference(scored, decided - constant, costs, scale),
        against_most_probable=_difference(scored, decided - probable, costs, scale),
        # With costs of each row, those of one class alone say little.
        curve=_curve(scored, costs, mix, classes) if (scale == 1).all() else None,
    )


def _mean_cost(scored: ClassPredictions, cost: np.ndarray, costs: np.ndarray, scale: np.ndarray) -> Estimate:
    """The mean of the rows' costs, with its interval."""
    low, spread = costs.min(axis=1), np.ptp(costs, axis=1)
    parts, offset = [], 0.0
    for code, share in _mix(scored):
        mine = scored.y == code
        offset += share * low[code] * float(np.average(scale[mine], weights=scored.weights[mine]))
        largest = spread[code] * scale[mine].max()
        if largest > 0:
            parts.append((mine, (cost - low[code] * scale) / largest, share * largest))
    return _combined(scored, parts, offset)


def _difference(scored: ClassPredictions, difference: np.ndarray, costs: np.ndarray, scale: np.ndarray) -> Estimate:
    """The mean of paired differences, with its interval: losses and gains are shares of their own, so that rows without
    a difference add nothing."""
    parts = []
    for code, share in _mix(scored):
        mine = scored.y == code
        largest = float(np.ptp(costs[code]) * scale[mine].max())
        signs = (1.0, -1.0) if largest > 0 else ()
        parts += [(mine, np.maximum(sign * difference, 0) / largest, sign * share * largest) for sign in signs]
    return _combined(scored, parts, 0.0)


def _mix(scored: ClassPredictions) -> list[tuple[int, float]]:
    """The classes that have rows, each with its share of the weight."""
    total = np.bincount(scored.y, scored.weights, scored.n_classes)
    return [(int(code), float(total[code] / total.sum())) for code in np.flatnonzero(total > 0)]


def _combined(scored: ClassPredictions, parts: Sequence[Part], offset: float) -> Estimate:
    """A sum of scaled shares with its interval."""
    if not parts:
        return Estimate(value=offset, low=offset, high=offset)
    shares = [scored.share(rows, np.where(rows, hit, 0.0)) for rows, hit, _ in parts]
    scales = np.array([scale for *_, scale in parts])
    value = offset + float(sum(scale * share[0] for scale, share in zip(scales, shares, strict=True)))
    at_low, at_high = (value + scales * np.array([share[end] - share[0] for share in shares]) for end in (1, 2))
    correlation = uncertainty.group_correlation(np.stack([share[3] for share in shares]), scored.group)
    low, high = uncertainty.square_and_add(value, at_low, at_high, correlation)
    return Estimate(value=value, low=low, high=high)


def _curve(scored: ClassPredictions, costs: np.ndarray, mix: np.ndarray, classes: Sequence[str]) -> CostCurve | None:
    """The relative cost while the mistakes on the positive, or the rarest, class become dearer."""
    if np.count_nonzero(mix) < 2:
        return None
    code = int(np.where(mix > 0, mix, np.inf).argmin()) if scored.positive is None else scored.positive
    if mix[code] == 0:
        return None
    possible = mix * np.ptp(costs, axis=1)
    share, decided, probable = list[float](), list[float](), list[float]()
    for factor in FACTORS:
        changed = costs.copy()
        changed[code] *= factor
        least, constant = float(mix @ changed.min(axis=1)), float((mix @ changed).min())
        labels = (scored.probabilities @ changed).argmin(axis=1)
        of_class = factor * possible[code]
        share.append(float(of_class / max(of_class + possible.sum() - possible[code], 1e-300)))
        for found, kind in ((decided, labels), (probable, scored.probabilities.argmax(axis=1))):
            mean = float(np.average(changed[scored.y, kind], weights=scored.weights))
            found.append((mean - least) / max(constant - least, 1e-12))
    return CostCurve(label=classes[code], factor=FACTORS.tolist(), share=share, decided=decided, most_probable=probable)


def _observed(scored: ClassPredictions, promise: Promise, left: np.ndarray | None, classes: Sequence[str]) -> Estimate:
    """The promised figure on these rows."""
    given = np.ones(len(scored.y), dtype=bool) if left is None else ~left
    code = classes.index(promise.label) if promise.label else None
    is_class, called = scored.y == code, (scored.predicted == code) & given
    among, hit = {
        "precision": (called, is_class),
        "recall": (is_class, called),
        "specificity": (~is_class, ~called),
        "alerts": (np.ones(len(scored.y), dtype=bool), called),
        "error": (given if code is None else called, scored.predicted != scored.y),
    }[promise.figure]
    return share_estimate(scored, among, hit)


def _abstention(
    scored: ClassPredictions, left: np.ndarray, decision: AbstainingDecision, classes: Sequence[str]
) -> AbstentionScore:
    wrong, every = scored.predicted != scored.y, np.ones(len(scored.y), dtype=bool)
    order = np.argsort(-decision.certainty(scored.probabilities), kind="stable")
    labelled = np.cumsum(scored.weights[order])
    errors = np.cumsum((scored.weights * wrong)[order]) / labelled
    points = np.unique(np.linspace(0, len(order) - 1, MOST_POINTS).round().astype(int))
    return AbstentionScore(
        left=share_estimate(scored, every, left),
        error=share_estimate(scored, ~left, wrong),
        error_of_all=share_estimate(scored, every, wrong),
        left_of_class={label: share_estimate(scored, scored.y == code, left) for code, label in enumerate(classes)},
        curve={"labelled": (labelled / labelled[-1])[points].tolist(), "error": errors[points].tolist()},
    )


def share_estimate(scored: ClassPredictions, among: np.ndarray, hit: np.ndarray) -> Estimate:
    """A share of the chosen rows with its interval; all None without rows of weight among them."""
    if not (scored.weights * among).sum() > 0:
        return Estimate(value=None)
    value, low, high, _ = scored.share(among, hit)
    return Estimate(value=value, low=low, high=high)

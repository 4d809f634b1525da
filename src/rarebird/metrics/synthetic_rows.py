"""How new rows differ from real ones, each figure read against held-out real rows of the same number.

Three sets of rows ``(n, d)``: known ones, from which a generator learned; held ones, real rows that it never saw; and
as many made ones. If a generator is perfect, held and made rows are exchangeable given the known ones. So any figure of
the two sets has an exact distribution under equality: that of the same figure when rows change sides at random. It
gives each figure a range for real rows, and a p-value, however few the rows are.

What each figure finds: `tree_area` (Lopez-Paz and Oquab, "Revisiting classifier two-sample tests", ICLR 2017) any
difference that trees can see; `energy` (Székely and Rizzo, "Energy statistics", JSPI 2013) shifts, scales and lost
groups; `marginal` a single column (`column_dependence` has the figures of pairs of columns); `coverage`
(Naeem et al., "Reliable Fidelity and Diversity Metrics for Generative Models", ICML 2020) lost modes; `rank_share`, of
distances to known rows, copies, also with noise, and, of a classifier's scores, rows of another class;
`mean_difference` whatever else is counted in rows. The sanity checks of Räisä, van Breugel and van der Schaar, "All
current generative fidelity and diversity metrics are flawed" (ICML 2025), are tests of these figures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from rarebird.metrics.boosted_scores import trees
from rarebird.metrics.near_rows import distances

# Random changes of sides; the smallest p-value is one of their number and 1.
PERMUTATIONS = 499
SHOWN = (0.025, 0.975)


@dataclass(frozen=True)
class Figure:
    """A figure of made rows.

    Attributes:
        name: Of the figure.
        value: For the made rows.
        low, high: Range of 95 % of the figure for as many real rows.
        p_value: How often real rows have a figure as bad or worse.
        random: ``(PERMUTATIONS,)`` the p-values after each random change of sides.
    """

    name: str
    value: float
    low: float
    high: float
    p_value: float
    random: np.ndarray = field(repr=False, compare=False)


@dataclass(frozen=True, eq=False)
class Sides:
    """Held and made rows, one after the other, and random changes of sides.

    Attributes:
        is_made: ``(n,)`` bool.
        changed: ``(PERMUTATIONS, n)`` bool, the rows that count as made; within each part as many as there are.
    """

    is_made: np.ndarray
    changed: np.ndarray

    @classmethod
    def of(cls, is_made: np.ndarray, part: np.ndarray, draw: np.random.Generator) -> Sides:
        """Changes within each part: rows of different parts were compared with different known rows.

        Args:
            is_made: ``(n,)`` bool.
            part: ``(n,)`` the part of each row.
            draw: Decides the changes.
        """
        changed = np.zeros((PERMUTATIONS, len(is_made)), bool)
        for one in np.unique(part):
            rows = np.flatnonzero(part == one)
            order = draw.random((PERMUTATIONS, len(rows))).argsort(axis=1)
            changed[:, rows] = is_made[rows][order]
        return cls(is_made, changed)


def judged(name: str, statistic: Callable[[np.ndarray], np.ndarray], sides: Sides, bad: str = "large") -> Figure:
    """A figure with its range and p-value.

    Args:
        name: Of the figure.
        statistic: ``(m, n)`` bool, the rows that count as made in each of m ways -> ``(m,)`` figures.
        sides: The rows.
        bad: ``large``, ``small``, or ``both`` for figures that are bad where they are unusual.
    """
    value = float(statistic(sides.is_made[None])[0])
    random = statistic(sides.changed)
    low, high = np.quantile(random, SHOWN)
    p_values = _p_values(np.concatenate([[value], random]), bad)
    return Figure(name, value, float(low), float(high), float(p_values[0]), p_values[1:])


def _p_values(figures: np.ndarray, bad: str) -> np.ndarray:
    """``(n,)`` how often a figure among all is as bad as each or worse; equal ones count as worse: where all are equal,
    nothing is unusual."""
    ordered, n = np.sort(figures), len(figures)
    above = (n - np.searchsorted(ordered, figures - 1e-12, "left")) / n
    below = np.searchsorted(ordered, figures + 1e-12, "right") / n
    both = np.minimum(2 * np.minimum(above, below), 1.0)
    found: np.ndarray = {"large": above, "small": below, "both": both}[bad]
    return found


def mean_difference(name: str, of_row: np.ndarray, sides: Sides) -> Figure:
    """The mean of a number of each row ``(n,)``, of made rows less that of held rows."""
    n_made = int(sides.is_made.sum())
    n_held = len(sides.is_made) - n_made

    def statistic(made: np.ndarray) -> np.ndarray:
        sums = made @ of_row
        return np.asarray(sums / n_made - (of_row.sum() - sums) / n_held)

    return judged(name, statistic, sides)


def energy(points: np.ndarray, sides: Sides) -> Figure:
    """The energy distance of made from held rows ``(n, d)``, as a share of the mean distance between them: 0 is
    equal."""
    distance = distances(points, points)
    n_made = int(sides.is_made.sum())
    n_held = len(points) - n_made

    def statistic(made: np.ndarray) -> np.ndarray:
        ours = made.astype(np.float32)
        to_made = ours @ distance.astype(np.float32)
        within_made = (to_made * ours).sum(axis=1)
        between = (to_made * (1 - ours)).sum(axis=1)
        within_held = distance.sum() - within_made - 2 * between
        cross = between / (n_made * n_held)
        # Pairs of a row with itself are left out, so that real rows have 0 on average.
        apart = within_made / max(n_made * (n_made - 1), 1) + within_held / max(n_held * (n_held - 1), 1)
        return np.asarray((2 * cross - apart) / np.maximum(2 * cross, 1e-12), dtype=float)

    return judged("energy", statistic, sides)


def coverage(covered: np.ndarray, sides: Sides) -> Figure:
    """The share of known rows whose ball holds a made row, less that of held rows.

    Args:
        covered: ``(n, m)`` bool, in whose balls held and made rows lie.
        sides: Which are made.
    """
    within = covered.astype(np.float32)

    def statistic(made: np.ndarray) -> np.ndarray:
        shares = [(side.astype(np.float32) @ within > 0).mean(axis=1) for side in (made, ~made)]
        return np.asarray(shares[0] - shares[1], dtype=float)

    return judged("coverage", statistic, sides, "small")


def marginal(points: np.ndarray, sides: Sides) -> Figure:
    """The largest Kolmogorov-Smirnov distance of a column ``(n, d)``, between made and held rows."""
    n_made = int(sides.is_made.sum())
    n_held = len(points) - n_made

    def statistic(made: np.ndarray) -> np.ndarray:
        step = np.where(made, 1 / n_made, -1 / n_held)
        largest = np.zeros(len(made))
        for column in points.T:
            order = np.argsort(column, kind="stable")
            # Only the last of equal values counts.
            last = np.concatenate([np.diff(column[order]) > 0, [True]])
            largest = np.maximum(largest, np.abs(step[:, order].cumsum(axis=1)[:, last]).max(axis=1))
        return largest

    return judged("marginal", statistic, sides)


def rank_share(name: str, of_row: np.ndarray, sides: Sides) -> Figure:
    """How often a number of a made row is smaller than that of a held one, equal numbers half: 0.5 for real rows.

    Of distances to the nearest known row it shows copies (`nearness`), of scores of the class rows of another one.

    Args:
        name: Of the figure.
        of_row: ``(n,)`` numbers of held and made rows.
        sides: Which are made.
    """
    _, place = np.unique(of_row, return_inverse=True)
    rank = np.bincount(place).cumsum() - (np.bincount(place) - 1) / 2
    n_made = int(sides.is_made.sum())
    n_held = len(of_row) - n_made

    def statistic(made: np.ndarray) -> np.ndarray:
        larger = made @ rank[place] - n_made * (n_made + 1) / 2
        return np.asarray(1 - larger / (n_made * n_held))

    return judged(name, statistic, sides)


def tree_area(points: np.ndarray, sides: Sides, part: np.ndarray, draw: np.random.Generator) -> Figure:
    """The area under the ROC curve with which boosted trees tell made rows from held ones: 0.5 for real rows.

    Args:
        points: ``(n, d)`` features of held and made rows.
        sides: Which are made.
        part: ``(n,)`` the fold in which each row is judged by trees of the others.
        draw: Their seed.
    """
    scores = np.zeros(len(points))
    for fold in np.unique(part):
        out = part == fold
        scores[out] = trees(points[~out], sides.is_made[~out], draw)(points[out])
    # Scores are compared within a fold only.
    areas, weights = [], []
    for fold in np.unique(part):
        own, made = scores[part == fold], sides.is_made[part == fold]
        if made.any() and not made.all():
            higher = (own[made][:, None] > own[~made]).mean() + (own[made][:, None] == own[~made]).mean() / 2
            areas.append(higher)
            weights.append(len(own))
    area = float(np.average(areas, weights=weights)) if areas else 0.5
    n_made = max(int(sides.is_made.sum()), 1)
    n_held = max(len(points) - n_made, 1)
    # Of ranks at random within folds, by the variance of Mann and Whitney's statistic; folds are of equal size.
    folds = max(len(areas), 1)
    spread = float(np.sqrt((n_made / folds + n_held / folds + 1) / (12 * n_made * n_held / folds)))
    # Trees are not grown for each change of sides. Their p-values under equality are uniform, and count as independent
    # of other figures', which asks for more than where they go with these.
    random = draw.permutation(np.arange(1, PERMUTATIONS + 1) / (PERMUTATIONS + 1))
    p_value = _upper_tail((area - 0.5) / spread)
    return Figure("tree_area", area, 0.5 - 1.96 * spread, 0.5 + 1.96 * spread, p_value, random)


def _upper_tail(z: float) -> float:
    """Probability that a standard normal number is above `z`."""
    from math import erfc

    return 0.5 * erfc(z / 2**0.5)

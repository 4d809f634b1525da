"""The gate: may new rows of a class be used? Every figure is read against held-out real rows of the same number.

The training rows are dealt into parts. A generator learns from all parts but one, and makes as many rows of a class as
that part holds of it: the part's own rows are what perfect ones would look like. A class fails by a figure that real
rows would give too rarely (after the correction of Westfall and Young over all figures, which change sides together)
and that is worse than what is tolerated: with many rows even faults that do no harm are significant.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rarebird.core import rng
from rarebird.core.checks import DataError
from rarebird.core.compute import Compute
from rarebird.core.progress import part_of
from rarebird.data import prepare, split
from rarebird.data.concatenation import concat
from rarebird.data.convolution_features import convolution_features
from rarebird.data.dataset import Dataset
from rarebird.data.plain_features import plain_features
from rarebird.data.row_counts import counted
from rarebird.methods.synthesis._usefulness import Judged, usefulness
from rarebird.metrics import column_dependence, near_rows, synthetic_rows
from rarebird.metrics.boosted_scores import trees
from rarebird.metrics.multiple_tests import min_p_adjusted
from rarebird.metrics.synthetic_rows import Figure, Sides
from rarebird.metrics.two_sample import Components
from rarebird.slots.gate_verdict import ClassVerdict, GateFigure, GateVerdict
from rarebird.slots.synthetic_rows import Generated, Synthesis

# Parts of the training rows, and folds of the trees that tell new from real rows.
PARTS, FOLDS = 3, 5
# Rows of a class that are compared, at most and at least; below `FEW`, only gross faults show.
MOST_ROWS, FEWEST_ROWS, FEW = 400, 6, 20
# Known rows of other classes that a classifier of the class learns from.
MOST_OTHERS = 3_000
# Share of real rows that would be rejected, at most. At .05 more real rows are rejected (16 in place of 10 of 200
# draws) and no fault more is found.
LEVEL = 0.03
# Loss of average precision that is surely exceeded where new rows hurt.
HURTS = -0.05
# Columns above which dependence is that of principal components.
MOST_COLUMNS = 40
# Share of real rows that are as near to their nearest known row as what counts as a copy.
COPY_QUANTILE = 0.01
# How bad a figure may be although it is significant.
TOLERATED = {
    "tree_area": 0.60,
    "energy": 0.04,
    "dependence": 0.12,
    "lost_dependence": 0.35,
    "marginal": 0.12,
    "coverage": -0.10,
    "nearness": 0.62,
    "copies": 0.02,
    "outside": 0.05,
    "other_class": 0.60,
}
REASONS = {
    "tree_area": "boosted trees tell them from real rows",
    "energy": "they lie elsewhere than real rows, or are spread otherwise",
    "dependence": "their columns do not depend on each other as those of real rows do",
    "lost_dependence": "their columns depend on each other less than those of real rows do",
    "marginal": "the values of a column are distributed otherwise than in real rows",
    "coverage": "they leave out regions that real rows cover",
    "nearness": "they lie nearer to training rows than other real rows do, as copies would",
    "copies": "they copy training rows",
    "outside": "they have values beyond those of all real rows",
    "other_class": "they look less like rows of their class than real rows do",
}


@dataclass
class Pool:
    """Held-out and new rows of one class, part by part.

    Attributes:
        rows: For each part, held-out rows and then as many new ones.
        points: For each part, ``(n, d)`` features of held-out rows and then of as many new ones.
        known: For each part, features of the class's rows that the generator learned from.
        scores: For each part, ``(n,)`` how much the rows look like the class.
        outside: For each part, ``(n,)`` whether a value is beyond those of all known rows.
        related: For each part, ``(n,)`` how much columns depend on each other as in the class's known rows.
    """

    rows: list[Dataset] = field(default_factory=list)
    points: list[np.ndarray] = field(default_factory=list)
    known: list[np.ndarray] = field(default_factory=list)
    scores: list[np.ndarray] = field(default_factory=list)
    outside: list[np.ndarray] = field(default_factory=list)
    related: list[np.ndarray] = field(default_factory=list)


def judge(
    method: Synthesis, train: Dataset, codes: Sequence[int], compute: Compute, seed: int = 0, parts: int = PARTS
) -> GateVerdict:
    """The verdict on the rows that a generator makes of some classes.

    Args:
        method: The generator's settings.
        train: Training rows; no other row is seen.
        codes: The classes.
        compute: Where it learns, and who is told.
        seed: Of all draws.
        parts: Parts of the training rows.
    """
    start, draw = time.monotonic(), rng.stream(seed, "gate")
    train = counted(train)
    pools, judged = {code: Pool() for code in codes}, {code: Judged() for code in codes}
    fold = split.fold_of(train, parts, seed) if len(train) >= parts else np.full(len(train), -1)
    for place in range(parts):
        held, known = train.take(fold == place), train.take(fold != place)
        if not any((held.codes == code).any() for code in codes):
            continue
        telling = Compute(compute.device, None, part_of(compute.progress, place / parts, 1 / parts, ", for the gate"))
        try:
            generated = method.fit(known, telling, rng.stream(seed, "gate", place))
        except DataError:
            continue  # A class without rows here says so: nothing was compared.
        for code in codes:
            if generated.able[code] and (held.codes == code).any():
                _compared(pools[code], judged[code], generated, Rows(known, held, code, method.ratio), draw)
    name = str(getattr(method, "name", ""))
    verdicts = tuple(_verdict(train.classes[code], pools[code], judged[code], draw) for code in codes)
    return GateVerdict(method=name, parts=parts, classes=verdicts, seconds=round(time.monotonic() - start, 2))


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of one part: those that the generator knows, those held out, the class, and the ratio to fill it to."""

    known: Dataset
    held: Dataset
    code: int
    ratio: float


def _compared(pool: Pool, judged: Judged, generated: Generated, rows: Rows, draw: np.random.Generator) -> None:
    """Add one part's rows of a class to its pool."""
    known, held, code = rows.known, rows.held, rows.code
    own_held = np.flatnonzero(held.codes == code)
    chosen = own_held if len(own_held) <= MOST_ROWS else draw.choice(own_held, MOST_ROWS, replace=False)
    # As many new rows as are compared, and as many as the class lacks or has.
    own = int((known.codes == code).sum())
    lack = int(np.clip(rows.ratio * np.bincount(known.codes).max() - own, own, MOST_OTHERS))
    made = generated.sample(code, len(chosen) + lack, draw)
    others = np.flatnonzero(known.codes != code)
    if len(others) > MOST_OTHERS:
        others = draw.choice(others, MOST_OTHERS, replace=False)
    base = known.take(np.concatenate([np.flatnonzero(known.codes == code), others]))
    real, new = _features(base, held, made)
    is_own = base.codes == code
    first, rest = real[: len(base)], real[len(base) :]
    points = np.concatenate([rest[chosen], new[: len(chosen)]])
    scorer = trees(first, is_own, draw, _balanced(is_own))
    low, high = first.min(axis=0), first.max(axis=0)
    pool.rows.append(concat([held.take(chosen), made.take(np.arange(len(chosen)))]))
    pool.points.append(points)
    pool.known.append(first[is_own])
    pool.scores.append(scorer(points))
    pool.outside.append(((points < low) | (points > high)).any(axis=1))
    pool.related.append(column_dependence.dependence_scores(first[is_own], points))
    judged.add((first, is_own), new[len(chosen) :], (rest, held.codes == code), draw)


def _features(known: Dataset, held: Dataset, made: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Features of known and held-out rows, and of new ones, made for all together."""
    prepared = prepare.fit(known)[0]
    return plain_features((concat([known, held]), made), prepared)


def _balanced(is_own: np.ndarray) -> np.ndarray:
    share = max(float(is_own.mean()), 1e-9)
    return np.where(is_own, 0.5 / share, 0.5 / max(1 - share, 1e-9))


def _verdict(label: str, pool: Pool, judged: Judged, draw: np.random.Generator) -> ClassVerdict:
    n = sum(len(points) for points in pool.points) // 2
    if n < FEWEST_ROWS:
        reason = f"too few rows to tell: {n} held-out rows of the class could be compared, {FEWEST_ROWS} are needed"
        return ClassVerdict(label=label, rows=n, passes=False, reason=reason)
    figures = _figures(pool, draw)
    random = np.stack([figure.random for figure in figures], axis=1)
    adjusted = min_p_adjusted([figure.p_value for figure in figures], random)
    told = tuple(
        GateFigure(
            name=figure.name,
            value=round(figure.value, 4),
            low=round(figure.low, 4),
            high=round(figure.high, 4),
            p_value=round(figure.p_value, 5),
            fails=bool(p_value < LEVEL and _intolerable(figure)),
        )
        for figure, p_value in zip(figures, adjusted, strict=True)
    )
    failing = [figure for figure in told if figure.fails]
    useful = usefulness(judged, draw)
    hurts = useful is not None and useful.high < HURTS
    reasons = [REASONS[figure.name] for figure in sorted(failing, key=lambda one: one.p_value)]
    if hurts:
        reasons.append("a classifier of the class is worse with them than without")
    few = f"; with {n} rows only gross faults would show" if n < FEW else ""
    reason = "; ".join(reasons) if reasons else f"no figure is surely worse than that of real rows{few}"
    return ClassVerdict(label=label, rows=n, passes=not reasons, reason=reason, figures=told, usefulness=useful)


def _intolerable(figure: Figure) -> bool:
    limit = TOLERATED[figure.name]
    return figure.value < limit if figure.name == "coverage" else figure.value > limit


def _figures(pool: Pool, draw: np.random.Generator) -> list[Figure]:
    """All figures of a class."""
    part = np.concatenate([np.full(len(points), place) for place, points in enumerate(pool.points)])
    is_made = np.concatenate([np.arange(len(points)) >= len(points) // 2 for points in pool.points])
    points, sides = np.concatenate(pool.points), Sides.of(is_made, part, draw)
    fold = np.zeros(len(points), np.int64)
    for side in (False, True):
        rows = np.flatnonzero(is_made == side)
        fold[draw.permutation(rows)] = np.arange(len(rows)) % min(FOLDS, len(rows))
    space = _space(points, np.concatenate(pool.known))
    at, known = space(points), [space(one) for one in pool.known]
    nearest, copied, covered = _to_known(at, known, part)
    return [
        synthetic_rows.tree_area(np.hstack([points, _texture(pool)]), sides, fold, draw),
        synthetic_rows.energy(at, sides),
        column_dependence.dependence(_columns_or_components(points), sides),
        synthetic_rows.mean_difference("lost_dependence", -np.concatenate(pool.related), sides),
        synthetic_rows.marginal(points, sides),
        synthetic_rows.coverage(covered, sides),
        synthetic_rows.rank_share("nearness", nearest, sides),
        synthetic_rows.mean_difference("copies", copied, sides),
        synthetic_rows.mean_difference("outside", np.concatenate(pool.outside).astype(float), sides),
        synthetic_rows.rank_share("other_class", np.concatenate(pool.scores), sides),
    ]


def _texture(pool: Pool) -> np.ndarray:
    """``(n, d)`` what plain features have lost of pictures and series: edges, texture, noise; no columns for tables."""
    if pool.rows[0].kind == "table":
        return np.zeros((sum(map(len, pool.rows)), 0))
    return convolution_features(concat(pool.rows))[0]


def _space(points: np.ndarray, known: np.ndarray) -> Any:
    """The space of distances: columns divided by their spread in all rows. Held-out and new rows are alike in it: what
    only one of them decided, such as whitened components, would put the others nearer to known rows."""
    every = np.concatenate([known, points])
    center, spread = every.mean(axis=0), np.maximum(every.std(axis=0), 1e-9)
    return lambda rows: (rows - center) / spread


def _columns_or_components(points: np.ndarray) -> np.ndarray:
    """The columns, or, where they are many, their principal components."""
    if points.shape[1] <= MOST_COLUMNS:
        return points
    components = Components.fit(points)
    return components.of(points)[:, : components.vectors.shape[1]]


def _to_known(at: np.ndarray, known: list[np.ndarray], part: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``(n,)`` distances to the nearest known row, whether it is a copy's, and ``(n, m)`` in whose balls rows lie; each
    with the known rows of its own part."""
    nearest, copied = np.zeros(len(at)), np.zeros(len(at))
    covered = np.zeros((len(at), sum(map(len, known))), bool)
    start = 0
    for place, own in enumerate(known):
        rows = np.flatnonzero(part == place)
        apart = near_rows.distances(at[rows], own)
        nearest[rows] = apart.min(axis=1)
        copied[rows] = nearest[rows] <= near_rows.near(own, COPY_QUANTILE)
        covered[rows, start : start + len(own)] = apart <= near_rows.radius(own)
        start += len(own)
    return nearest, copied, covered

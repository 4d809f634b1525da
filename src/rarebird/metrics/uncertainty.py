"""95 % intervals: Wilson for a share, its combination for a mean of shares, and the stratified bootstrap for the
rest."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rarebird.core.checks import require

Z = 1.959963984540054
# Cells of one part of the replicates: small enough for the cache, and columns enough to pay for the sorting that each
# part needs.
_CELLS = 1_000_000
_COLUMNS = 32


def wilson(share: np.ndarray | float, n: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Score interval of a share (Wilson 1927): stays inside 0..1 and keeps its coverage on few rows, where the textbook
    interval does not.

    Args:
        share: Observed share, any shape.
        n: Rows that it was observed on, above 0; for weighted rows their effective number.

    Returns:
        Lower and upper end, of the shape of `share`.
    """
    share, n = np.asarray(share, dtype=float), np.asarray(n, dtype=float)
    require(bool(np.all(n > 0)), "n > 0", n=n)
    scale = 1 + Z**2 / n
    center = (share + Z**2 / (2 * n)) / scale
    half = Z / scale * np.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return np.maximum(center - half, 0.0), np.minimum(center + half, 1.0)


def mean_of_shares(shares: np.ndarray, n: np.ndarray) -> tuple[float, float]:
    """Interval of the plain mean of independent shares, from their Wilson intervals (MOVER: Newcombe 1998, Zou & Donner
    2008).

    Distances of the ends from the values add in squares. The bootstrap has no spread in a class of three rows that are
    all found; this has: over seven simulated settings with 1 to 2000 rows a class it held the truth in 90 to 96 % of
    samples, the bootstrap in 41 to 95 %.

    Args:
        shares: ``(k,)`` shares, for instance the recalls of the classes.
        n: ``(k,)`` rows that each was observed on.
    """
    low, high = wilson(shares, n)
    mean, k = float(np.mean(shares)), len(shares)
    below, above = np.sqrt(((shares - low) ** 2).sum()) / k, np.sqrt(((high - shares) ** 2).sum()) / k
    return max(mean - float(below), 0.0), min(mean + float(above), 1.0)


def effective_size(weight: np.ndarray) -> float:
    """Number of equally weighted rows that are as informative (Kish 1965), ``(sum w)^2 / sum w^2``; 0 where all weights
    are 0."""
    squares = float((weight**2).sum())
    return float(weight.sum()) ** 2 / squares if squares > 0 else 0.0


def replicates_for(n: int, passes: int = 1) -> int:
    """Bootstrap replicates that stay affordable: 1000 up to some 20,000 rows, fewer beyond, never under 200.

    Args:
        n: Rows.
        passes: How many times a replicate goes over the rows, for instance once per class for ranking figures.
    """
    return int(np.clip(20_000_000 // max(n * passes, 1), 200, 1000))


def bootstrap_weights(
    strata: np.ndarray, group: np.ndarray | None, replicates: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """How often each row is drawn, replicate by replicate (Efron 1979), as many rows of each stratum as there are.

    With groups, whole groups are drawn; a group belongs to the rarest stratum that it holds, so that no replicate loses
    a rare class.

    The intervals speak of rows with this mix of classes, as a stratified hold-out has: there they held the truth in 90
    to 94 % of samples (500 rows, 4 and 10 % rare; ROC AUC 88 to 91 %). Where the mix was itself left to chance they are
    too narrow for figures that hang on it: log loss 48 to 62 %, Brier score 34 to 55 %, F1 70 to 82 %.

    Args:
        strata: ``(n,)`` int codes, the classes; all 0 where there are none.
        group: ``(n,)`` labels, or None.
        replicates: Number of replicates.
        rng: Source of the draws.

    Yields:
        ``(n, some replicates)`` float32 counts, together `replicates` columns; in parts, so that memory stays bounded.
    """
    unit = np.arange(len(strata))
    unit_strata = strata
    if group is not None:
        labels, unit = np.unique(group, return_inverse=True)
        rarity = np.bincount(strata)[strata]
        # The last write wins: rows go from the commonest class to the rarest.
        unit_strata = np.empty(len(labels), dtype=strata.dtype)
        order = np.lexsort((strata, -rarity))
        unit_strata[unit[order]] = strata[order]
    members = [np.flatnonzero(unit_strata == stratum) for stratum in np.unique(unit_strata)]
    step = max(_COLUMNS, _CELLS // max(len(strata), 1))
    for start in range(0, replicates, step):
        columns = min(step, replicates - start)
        counts = np.empty((len(unit_strata), columns), dtype=np.float32)
        for rows in members:
            drawn = rng.integers(len(rows), size=(len(rows), columns))
            cells = np.bincount((drawn * columns + np.arange(columns)).ravel(), minlength=drawn.size)
            counts[rows] = cells.reshape(drawn.shape)
        yield counts if group is None else counts[unit]


def percentile(draws: np.ndarray, value: float) -> tuple[float, float] | None:
    """Ends of the bootstrap percentile interval, widened to hold `value`; None where no replicate defines the figure.

    Args:
        draws: ``(replicates,)`` the figure in each replicate; NaN where undefined.
        value: The figure on the rows themselves.
    """
    defined = draws[~np.isnan(draws)]
    if not len(defined):
        return None
    low, high = np.quantile(defined, [0.025, 0.975])
    return min(float(low), value), max(float(high), value)


def reflected(draws: np.ndarray, value: float) -> tuple[float, float] | None:
    """The basic bootstrap interval, ``2 value - quantile``, not below 0 and widened to hold `value`.

    For figures that noise can only raise, such as the calibration error: the replicates lie above the value by about as
    much as the value lies above the truth, so their percentiles would be off by twice that bias. Arguments as of
    `percentile`.

    It is better, not good. Over 33 simulated settings (11 models, 200 to 2000 rows, stratified) it held the true
    calibration error in 86 % of samples at the median and 37 % at worst, percentiles in 56 % and 0 %; percentiles did
    better in 6 of the 33, where the error is large beside its noise. Of a perfectly calibrated model it holds the truth
    in 57 to 66 % of samples, percentiles never.
    """
    ends = percentile(draws, value)
    if ends is None:
        return None
    low, high = np.quantile(draws[~np.isnan(draws)], [0.025, 0.975])
    return max(0.0, min(2 * value - float(high), value)), max(2 * value - float(low), value)

"""95 % intervals: Wilson for a share, its combination for a mean of shares, and the stratified bootstrap for the
rest."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rarebird.core.checks import require

Z = 1.959963984540054
# Replicates are drawn in parts: of this many cells, which fit into the cache, and of at least this many columns, which
# pay for the sorting that each part needs.
_CELLS = 1_000_000
_COLUMNS = 32


def wilson(share: np.ndarray | float, n: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Score interval of a share (Wilson 1927). It stays inside 0..1 and keeps its coverage on few rows; the textbook
    interval does neither.

    Args:
        share: Observed share, any shape.
        n: Number of rows on which it was observed, above 0; for weighted rows their effective number.

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

    The squares of the distances from value to interval end add up. In a class of three rows that are all found, the
    bootstrap has no spread, but this interval has: in seven simulated settings with 1 to 2000 rows per class it
    contained the truth in 90 to 96 % of samples, the bootstrap in 41 to 95 %.

    Args:
        shares: ``(k,)`` shares, for instance the recalls of the classes.
        n: ``(k,)`` number of rows on which each was observed.
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
    """Number of bootstrap replicates that stays affordable: 1000 up to 20,000 rows, fewer above, never under 200.

    Args:
        n: Number of rows.
        passes: Passes of one replicate over the rows, for instance one per class for ranking figures.
    """
    return int(np.clip(20_000_000 // max(n * passes, 1), 200, 1000))


def bootstrap_weights(
    strata: np.ndarray, group: np.ndarray | None, replicates: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """How often each replicate draws each row (Efron 1979); every stratum keeps its number of rows.

    With groups, whole groups are drawn; a group belongs to the rarest stratum that it holds, so that no replicate loses
    a rare class.

    The intervals are meant for rows with this mix of classes, as in a stratified hold-out: there they contained the
    truth in 90 to 94 % of samples (500 rows, 4 and 10 % rare; ROC AUC 88 to 91 %). Where the mix itself is random, they
    are too narrow for figures that depend on it: log loss 48 to 62 %, Brier score 34 to 55 %, F1 70 to 82 %.

    Args:
        strata: ``(n,)`` int codes, the classes; all 0 where there are none.
        group: ``(n,)`` labels, or None.
        replicates: Number of replicates.
        rng: Source of the draws.

    Yields:
        ``(n, columns)`` float32 counts, together `replicates` columns; in parts, so that memory stays bounded.
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
    """The bootstrap percentile interval, widened to contain `value`; None where no replicate defines the figure.

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
    """The basic bootstrap interval, ``2 value - quantile``, not below 0 and widened to contain `value`.

    It serves figures that noise can only raise, such as the calibration error: the replicates exceed the value by about
    as much as the value exceeds the truth, so their percentiles would be off by twice that bias. Arguments as for
    `percentile`.

    It is better, not good. In 33 simulated settings (11 models, 200 to 2000 rows, stratified) it contained the true
    calibration error in 86 % of samples at the median and in 37 % at worst, percentiles in 56 % and 0 %; percentiles
    did better in 6 of the 33, where the error is large compared with its noise. For a perfectly calibrated model it
    contained the truth in 57 to 66 % of samples, percentiles never.
    """
    if percentile(draws, value) is None:
        return None
    low, high = np.quantile(draws[~np.isnan(draws)], [0.025, 0.975])
    return max(0.0, min(2 * value - float(high), value)), max(2 * value - float(low), value)

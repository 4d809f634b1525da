"""95 % intervals: Wilson for a share, square-and-add for what several shares decide, a score interval for the ROC area,
and the stratified bootstrap for the rest; all on the effective number of weighted, grouped rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rarebird.core.checks import require

Z = 1.959963984540054
# Replicates are drawn in parts: of this many cells, which fit into the cache, and of at least this many columns, which
# pay for the sorting that each part needs. The last number bounds the cells of a part, each of which takes 28 bytes:
# with millions of rows, parts have fewer columns.
_CELLS = 1_000_000
_COLUMNS = 32
_MOST_CELLS = 8_000_000


def wilson(share: np.ndarray | float, n: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Score interval of a share (Wilson 1927). It stays inside 0..1 and keeps its coverage on few rows; the textbook
    interval does neither.

    Args:
        share: Observed share, any shape.
        n: Number of rows on which it was observed, above 0; for weighted or grouped rows their effective number
            (`effective_rows`).

    Returns:
        Lower and upper end, of the shape of `share`.
    """
    share, n = np.asarray(share, dtype=float), np.asarray(n, dtype=float)
    require(bool(np.all(n > 0)), "n > 0", n=n)
    scale = 1 + Z**2 / n
    center = (share + Z**2 / (2 * n)) / scale
    half = Z / scale * np.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    # The ends hold the share, in spite of rounding.
    return np.clip(center - half, 0.0, share), np.clip(center + half, share, 1.0)


def square_and_add(
    value: float, at_low: np.ndarray, at_high: np.ndarray, correlation: np.ndarray | None = None
) -> tuple[float, float]:
    """Interval of a figure that several shares decide, from the intervals of these shares: the squares of the distances
    that each share alone moves the figure add up (square-and-add: Newcombe 1998; MOVER: Zou & Donner 2008; with
    dependence: Zou 2008).

    A share that is 1 on three rows still has an interval, and so has the figure; a bootstrap has no spread there.

    Args:
        value: The figure.
        at_low: ``(k,)`` the figure with one share at the lower end of its interval and the others as observed.
        at_high: ``(k,)`` the same at the upper end.
        correlation: ``(k, k)`` of the errors of the shares; None for independent ones.

    Returns:
        Lower and upper end.
    """
    moves = np.stack([at_low, at_high]) - value
    directions = np.array([-1.0, 1.0])
    together = np.eye(len(at_low)) if correlation is None else correlation
    ends = []
    for sign in (-1.0, 1.0):
        farthest = (sign * moves).argmax(axis=0)
        distance = np.maximum(sign * moves.max(axis=0) if sign > 0 else -moves.min(axis=0), 0.0)
        signed = distance * directions[farthest]
        ends.append(value + sign * float(np.sqrt(max(signed @ together @ signed, 0.0))))
    return ends[0], ends[1]


def auc_interval(area: float, positives: float, negatives: float) -> tuple[float, float]:
    """Score interval of the area under the ROC curve (Newcombe 2006, part 2, method 5), with the variance of Hanley and
    McNeil (1982) at the interval's own end, and the mean of the two sizes in place of both.

    The ends are where ``(area - end)^2 = z^2 variance(end)``, so that an area of 1 has an interval with width, as a
    share of 1 has with Wilson's.

    Args:
        area: 0..1.
        positives: Effective number of positives, above 0.
        negatives: Effective number of negatives, above 0.
    """
    size = (positives + negatives) / 2

    def beyond(end: float) -> bool:
        spread = 1 + max(size - 1, 0.0) * ((1 - end) / (2 - end) + end / (1 + end))
        return (area - end) ** 2 > Z**2 * end * (1 - end) * spread / (positives * negatives)

    ends = []
    for outer in (0.0, 1.0):
        inside, outside = area, outer
        # The ends 0 and 1 have no variance, so that they are outside unless the area itself is there.
        for _ in range(60 if area != outer else 0):
            middle = (inside + outside) / 2
            inside, outside = (inside, middle) if beyond(middle) else (middle, outside)
        ends.append(outside)
    return ends[0], ends[1]


def effective_size(weight: np.ndarray) -> float:
    """Number of equally weighted rows that are as informative (Kish 1965), ``(sum w)^2 / sum w^2``; 0 where all weights
    are 0."""
    squares = float((weight**2).sum())
    return float(weight.sum()) ** 2 / squares if squares > 0 else 0.0


def effective_rows(weight: np.ndarray, residual: np.ndarray, group: np.ndarray | None) -> float:
    """Number of independent rows that would tell a share or mean as precisely as these weighted, grouped rows.

    Kish's number for the weights, divided by the design effect (how many times the variance between groups exceeds
    that of independent rows), times ``(z / t)^2`` with Student's t for the number of groups, because few groups tell
    the design effect only roughly (Korn & Graubard 1998; design effects of shares: Rao & Scott 1992). The result lies
    between the effective number of groups, which is right where all rows of a group have the same outcome, and that of
    rows; where all residuals are 0, nothing tells how alike the rows of a group are, and it is the number of groups.

    Args:
        weight: ``(n,)`` sample weights.
        residual: ``(n,)`` each row's outcome minus the share or mean; the figure's error is their weighted mean.
        group: ``(n,)`` labels; None for independent rows.
    """
    rows = effective_size(weight)
    if group is None or rows <= 0:
        return rows
    from scipy.special import stdtrit

    _, code = np.unique(group, return_inverse=True)
    groups = min(effective_size(np.bincount(code, weight)), rows)
    n_groups = int(code.max()) + 1
    errors = weight * residual
    independent = float((errors**2).sum())
    if n_groups < 2 or independent <= 1e-18 * float((weight**2).sum()):
        return groups
    between = float((np.bincount(code, errors) ** 2).sum()) * n_groups / (n_groups - 1)
    certainty = (Z / float(stdtrit(n_groups - 1, 0.975))) ** 2
    return float(np.clip(rows * certainty * independent / max(between, 1e-300), groups, rows))


def group_correlation(errors: np.ndarray, group: np.ndarray | None, unknown: float = 0.0) -> np.ndarray:
    """``(k, k)`` correlation of the errors of k figures, from their sums over groups.

    Args:
        errors: ``(k, n)`` each row's part in the error of each figure.
        group: ``(n,)`` labels; None for independent rows.
        unknown: What counts where a figure has no errors.
    """
    sums = errors
    if group is not None:
        _, code = np.unique(group, return_inverse=True)
        sums = np.stack([np.bincount(code, row) for row in errors])
    length = np.sqrt((sums**2).sum(axis=1))
    known = length > 1e-12
    scaled = sums / np.where(known, length, 1.0)[:, None]
    correlation = np.where(known[:, None] & known, scaled @ scaled.T, unknown)
    np.fill_diagonal(correlation, 1.0)
    return correlation


def replicates_for(n: int) -> int:
    """Number of bootstrap replicates of `n` rows that stays affordable: 1000 up to 20,000 rows, fewer above, never
    under 200."""
    return int(np.clip(20_000_000 // max(n, 1), 200, 1000))


def bootstrap_weights(
    strata: np.ndarray, group: np.ndarray | None, replicates: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """How often each replicate draws each row (Efron 1979); every stratum keeps its number of rows.

    With groups, whole groups are drawn; a group belongs to the rarest stratum that it holds, so that no replicate loses
    a rare class.

    The intervals are meant for rows with this mix of classes, as in a stratified hold-out. Where the mix itself is
    random, they are too narrow for figures that depend on it: of the log loss they contain the truth in 48 to 62 % of
    samples, of the Brier score in 34 to 55 %.

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
    n = max(len(strata), 1)
    step = min(max(_COLUMNS, _CELLS // n), max(1, _MOST_CELLS // n))
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

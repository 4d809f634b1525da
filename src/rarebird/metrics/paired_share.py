"""The difference of two shares that were observed on the same rows, with its 95 % interval."""

from __future__ import annotations

import numpy as np

from rarebird.core.checks import require
from rarebird.metrics.uncertainty import Z, effective_rows


def paired_difference(lost: float, gained: float, n: float) -> tuple[float, float, float]:
    """``(gained - lost) / n`` with its interval: the adjusted Wald interval of Bonett and Price, "Adjusted Wald
    confidence interval for a difference of binomial proportions based on paired data", Journal of Educational and
    Behavioral Statistics 2012. It has width where no row changes, too.

    Args:
        lost: Rows that counted before and do not any more.
        gained: Rows that count now and did not before.
        n: All rows, at least 1; of weighted or grouped rows their effective number, of which `lost` and `gained` are
            shares.

    Returns:
        Difference, lower and upper end, within -1..1; the interval contains the difference.
    """
    fits = n >= 1 and min(lost, gained) >= 0 and lost + gained <= n * (1 + 1e-9)
    require(fits, "changes are rows", lost=lost, gained=gained, n=n)
    down, up = (lost + 1) / (n + 2), (gained + 1) / (n + 2)
    half = Z * ((down + up - (up - down) ** 2) / (n + 2)) ** 0.5
    found = (gained - lost) / n
    return found, max(min(up - down - half, found), -1.0), min(max(up - down + half, found), 1.0)


def weighted_difference(
    was: np.ndarray, now: np.ndarray, weight: np.ndarray, group: np.ndarray | None
) -> tuple[float, float, float] | None:
    """`paired_difference` of the same rows before and after, for rows of any weight, some of which may belong together.

    Args:
        was, now: ``(n,)`` whether each row counts before and after.
        weight: ``(n,)`` sample weights.
        group: ``(n,)`` labels, equal for rows that are not independent; None where all rows are.

    Returns:
        Difference, lower and upper end; None without rows of some weight.
    """
    total = float(weight.sum())
    if total <= 0:
        return None
    change = now.astype(float) - was
    lost, gained = (float(weight[change == sign].sum()) / total for sign in (-1, 1))
    n = max(effective_rows(weight, change - (gained - lost), group), 1.0)
    return paired_difference(lost * n, gained * n, n)

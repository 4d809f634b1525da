"""The difference of two shares that were observed on the same rows, with its 95 % interval."""

from __future__ import annotations

from rarebird.core.checks import require
from rarebird.metrics.uncertainty import Z


def paired_difference(lost: int, gained: int, n: int) -> tuple[float, float, float]:
    """``(gained - lost) / n`` with its interval: the adjusted Wald interval of Bonett and Price, "Adjusted Wald
    confidence interval for a difference of binomial proportions based on paired data", Journal of Educational and
    Behavioral Statistics 2012. It has width where no row changes, too.

    Args:
        lost: Rows that counted before and do not any more.
        gained: Rows that count now and did not before.
        n: All rows, at least 1.

    Returns:
        Difference, lower and upper end, within -1..1; the interval contains the difference.
    """
    require(n >= 1 and min(lost, gained) >= 0 and lost + gained <= n, "changes are rows", lost=lost, gained=gained, n=n)
    down, up = (lost + 1) / (n + 2), (gained + 1) / (n + 2)
    half = Z * ((down + up - (up - down) ** 2) / (n + 2)) ** 0.5
    found = (gained - lost) / n
    return found, max(min(up - down - half, found), -1.0), min(max(up - down + half, found), 1.0)

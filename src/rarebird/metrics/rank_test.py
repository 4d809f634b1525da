"""The rank-sum test of Mann and Whitney (1947), one-sided: are the values of one sample larger?

Exact where there are no ties and the number of orders can be counted, otherwise by the normal distribution with the
corrections for ties and continuity. (SciPy has the same test, but the import of `scipy.stats` takes a second.)
"""

from __future__ import annotations

import math

import numpy as np

# Up to this number of values in both samples together, the numbers of orders are exact in 64-bit floats.
COUNTED = 55


def larger(sample: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """The p-value of the test that `sample` is larger than `other`, and the share of pairs in which it is (the area
    under the ROC curve); ties count half.

    Args:
        sample: ``(m,)``, m at least 1.
        other: ``(n,)``, n at least 1.
    """
    m, n = len(sample), len(other)
    _, place, counts = np.unique(np.concatenate([sample, other]), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    u = float(ranks[:m].sum()) - m * (m + 1) / 2
    if m + n <= COUNTED and counts.max() == 1:
        orders = _orders(m, n)
        p_value = float(orders[round(u) :].sum() / orders.sum())
    else:
        ties = float((counts.astype(float) ** 3 - counts).sum())
        variance = m * n / 12 * (m + n + 1 - ties / max((m + n) * (m + n - 1), 1))
        p_value = 1.0 if variance <= 0 else math.erfc((u - m * n / 2 - 0.5) / math.sqrt(2 * variance)) / 2
    return min(p_value, 1.0), u / (m * n)


def _orders(m: int, n: int) -> np.ndarray:
    """``(m n + 1,)`` the number of orders of both samples with each value of the statistic: the coefficients of the
    Gaussian binomial."""
    counts = np.zeros(m * n + 1)
    counts[0] = 1
    for i in range(1, m + 1):
        counts[n + i :] -= counts[: -(n + i)].copy() if n + i < len(counts) else 0
        for start in range(i):
            counts[start::i] = np.cumsum(counts[start::i])
    return counts

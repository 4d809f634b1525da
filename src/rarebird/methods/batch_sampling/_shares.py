"""What batch samplers share: class codes, draws in given shares, and the prior factor that follows from the shares."""

from __future__ import annotations

import numpy as np

from rarebird.core.checks import DataError


def class_codes(y: np.ndarray, sampler: str) -> np.ndarray:
    """``(n,)`` class codes of ``(n,)`` codes or ``(n, n_classes)`` soft targets.

    Raises:
        DataError: `y` holds the values of a regression.
    """
    codes: np.ndarray = y.argmax(axis=1) if y.ndim == 2 else y
    if not np.issubdtype(codes.dtype, np.integer):
        raise DataError(
            f"The batch sampling {sampler} draws by class, but regression has no classes; use shuffled or by_loss."
        )
    return codes


def rounded(expected: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """``(n,)`` random whole numbers with means `expected` ``(n,)``: each is rounded down or up, and so is their sum.

    Systematic rounding: the running sum is rounded on a grid with a random offset; the numbers vary as little as they
    can.
    """
    edges = np.cumsum(expected)
    # The last edge decides the sum; a running sum of floats is off by rounding errors.
    edges[-1:] = np.round(edges[-1:])
    counts: np.ndarray = np.diff(np.floor(edges + rng.random()), prepend=0).astype(np.int64)
    return counts


def order_in_shares(codes: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """``(n,)`` positions, as many as rows, in an order that mixes the classes evenly in given shares.

    Args:
        codes: ``(n,)`` class codes.
        shares: Share of the draws for each class of ``np.unique(codes)``, with sum 1. All rows of a class are drawn
            before one of them is drawn again.
        rng: Source of the draws.
    """
    quotas = rounded(shares * len(codes), rng)
    drawn = [
        drawn_evenly(np.flatnonzero(codes == label), quota, rng)
        for label, quota in zip(np.unique(codes), quotas, strict=True)
    ]
    # The draws of a class are spread evenly over the epoch, each at a random place within its part.
    when = np.concatenate([(np.arange(quota) + rng.random(quota)) / quota for quota in quotas])
    order: np.ndarray = np.concatenate(drawn)[np.argsort(when, kind="stable")]
    return order


def drawn_evenly(rows: np.ndarray, quota: int, rng: np.random.Generator) -> np.ndarray:
    """`quota` draws from `rows`; no row is drawn more than once more often than another."""
    rounds = [rng.permutation(rows) for _ in range(-(-quota // len(rows)))]
    return np.concatenate(rounds)[:quota] if rounds else rows[:0]


def occupied(class_counts: np.ndarray) -> np.ndarray:
    """`class_counts` with one row for each class without rows, to avoid a division by 0."""
    return np.where(class_counts > 0, class_counts, 1)


def scaled(factor: np.ndarray, class_counts: np.ndarray) -> np.ndarray:
    """A prior factor ``(n_classes,)`` scaled to mean 1 over the training rows, as that of every slot is."""
    result: np.ndarray = factor * (class_counts.sum() / (factor * class_counts).sum())
    return result

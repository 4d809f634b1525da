"""What the samplers of this folder share: class codes, draws in given shares, and the prior factor that follows from
them."""

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
            f"The batch sampling {sampler} draws by class, which regression lacks; use shuffled or by_loss instead."
        )
    return codes


def rounded(expected: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """``(n,)`` whole numbers with the means `expected` ``(n,)``, each the next lower or higher one, with the rounded
    sum.

    Systematic rounding: the running sum is cut at a grid whose offset is random, so that the draws vary as little as
    they can.
    """
    edges = np.cumsum(expected)
    # The last edge decides the sum, and a running sum of floats misses it by a few last digits.
    edges[-1:] = np.round(edges[-1:])
    counts: np.ndarray = np.diff(np.floor(edges + rng.random()), prepend=0).astype(np.int64)
    return counts


def order_in_shares(codes: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """``(n,)`` positions, as many as rows, in which every stretch holds the classes in about their shares.

    Args:
        codes: ``(n,)`` class codes.
        shares: Share of the draws for each class of ``np.unique(codes)``, with sum 1. A class runs through its own rows
            before one of them comes again.
        rng: Where the draws come from.
    """
    quotas = rounded(shares * len(codes), rng)
    drawn = [
        turns(np.flatnonzero(codes == label), quota, rng) for label, quota in zip(np.unique(codes), quotas, strict=True)
    ]
    # The draws of a class lie evenly over the epoch, each at a random place within its part of it.
    when = np.concatenate([(np.arange(quota) + rng.random(quota)) / quota for quota in quotas])
    order: np.ndarray = np.concatenate(drawn)[np.argsort(when, kind="stable")]
    return order


def turns(rows: np.ndarray, quota: int, rng: np.random.Generator) -> np.ndarray:
    """`quota` draws from `rows`, each row as often as any other or once more."""
    rounds = [rng.permutation(rows) for _ in range(-(-quota // len(rows)))]
    return np.concatenate(rounds)[:quota] if rounds else rows[:0]


def occupied(class_counts: np.ndarray) -> np.ndarray:
    """`class_counts` with one row for a class without any, so that it can be divided by."""
    return np.where(class_counts > 0, class_counts, 1)


def scaled(factor: np.ndarray, class_counts: np.ndarray) -> np.ndarray:
    """A prior factor ``(n_classes,)`` scaled to mean 1 over the training rows, as every slot's is."""
    result: np.ndarray = factor * (class_counts.sum() / (factor * class_counts).sum())
    return result

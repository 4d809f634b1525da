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


def rows_per_class(codes: np.ndarray, rows: np.ndarray | None) -> np.ndarray:
    """Rows of each class of ``np.unique(codes)``, each counting for `rows` ``(n,)`` rows, or for one."""
    return np.bincount(np.unique(codes, return_inverse=True)[1], rows)


def order_in_shares(
    codes: np.ndarray, shares: np.ndarray, rng: np.random.Generator, rows: np.ndarray | None = None
) -> np.ndarray:
    """``(n,)`` positions, as many as rows, in an order that mixes the classes evenly in given shares.

    Args:
        codes: ``(n,)`` class codes.
        shares: Share of the draws for each class of ``np.unique(codes)``, with sum 1; within a class as
            `drawn_evenly` draws.
        rng: Source of the draws.
        rows: ``(n,)`` how many rows each row counts for; None where each counts for one.
    """
    quotas = rounded(shares * len(codes), rng)
    drawn = drawn_per_class(codes, quotas, rng, rows)
    # The draws of a class are spread evenly over the epoch, each at a random place within its part.
    when = np.concatenate([(np.arange(quota) + rng.random(quota)) / quota for quota in quotas])
    order: np.ndarray = np.concatenate(drawn)[np.argsort(when, kind="stable")]
    return order


def drawn_per_class(
    codes: np.ndarray, quotas: np.ndarray, rng: np.random.Generator, rows: np.ndarray | None
) -> list[np.ndarray]:
    """For each class of ``np.unique(codes)`` its quota of draws, as `drawn_evenly` draws them."""
    drawn = []
    for label, quota in zip(np.unique(codes), quotas, strict=True):
        own = np.flatnonzero(codes == label)
        drawn.append(drawn_evenly(own, int(quota), rng, None if rows is None else rows[own]))
    return drawn


def drawn_evenly(own: np.ndarray, quota: int, rng: np.random.Generator, rows: np.ndarray | None = None) -> np.ndarray:
    """`quota` draws from the positions `own` ``(m,)``.

    Where each counts for one row, all are drawn before one of them is drawn again. Where they count for `rows` ``(m,)``
    rows, each is drawn in proportion, up to one draw.
    """
    if rows is not None:
        order = rng.permutation(len(own))
        times = rounded(quota * rows[order] / rows.sum(), rng)
        return rng.permutation(np.repeat(own[order], times))
    rounds = [rng.permutation(own) for _ in range(-(-quota // len(own)))]
    return np.concatenate(rounds)[:quota] if rounds else own[:0]


def occupied(class_counts: np.ndarray) -> np.ndarray:
    """`class_counts` with one row for each class without rows, to avoid a division by 0."""
    return np.where(class_counts > 0, class_counts, 1)


def scaled(factor: np.ndarray, class_counts: np.ndarray) -> np.ndarray:
    """A prior factor ``(n_classes,)`` scaled to mean 1 over the training rows, as that of every slot is."""
    result: np.ndarray = factor * (class_counts.sum() / (factor * class_counts).sum())
    return result

"""The class frequencies of rows without labels, estimated from probabilities under another prior.

*EM*: the frequencies that make the rows' likelihood largest (Saerens, Latinne and Decaestecker, "Adjusting the outputs
of a classifier to new a priori probabilities", Neural Computation 2002); with calibrated probabilities it is hard to
beat (Alexandari, Kundaje and Shrikumar, ICML 2020). *Black-box shift estimation*: the frequencies that explain the mean
probabilities, given those of each class's held-out rows (Lipton, Wang and Smola, ICML 2018). Both assume that rows of
one class look as they did; only how many there are has changed.
"""

from __future__ import annotations

import numpy as np

# A class's frequency is at least this: an estimate of 0 could never rise again.
LEAST = 1e-9
MOST_STEPS, CLOSE = 500, 1e-7


def em(probabilities: np.ndarray, prior: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The frequencies by EM, which finds the largest likelihood from any start.

    Args:
        probabilities: ``(n, n_classes)`` under `prior`.
        prior: ``(n_classes,)``; a class of prior 0 stays at 0.
        weight: ``(n,)``, or ``(n, replicates)`` for bootstrap replicates.

    Returns:
        ``(n_classes,)``, or ``(replicates, n_classes)``; they sum to 1.
    """
    weights = weight[:, None] if weight.ndim == 1 else weight
    ratio = probabilities / np.where(prior > 0, prior, np.inf)
    total = weights.sum(axis=0)
    found = np.tile(prior, (weights.shape[1], 1))
    for _ in range(MOST_STEPS):
        mixed = np.maximum(ratio @ found.T, 1e-300)
        new = found * (ratio.T @ (weights / mixed)).T / total[:, None]
        new = np.where(prior > 0, np.maximum(new, LEAST), 0.0)
        new /= new.sum(axis=1, keepdims=True)
        done = np.abs(new - found).max() < CLOSE
        found = new
        if done:
            break
    return found[0] if weight.ndim == 1 else found


def mean_probabilities(probabilities: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """``(n_classes, n_classes)`` the mean probabilities of each true class in its column; zeros for a class without
    rows."""
    n_classes = probabilities.shape[1]
    of_class = (y[:, None] == np.arange(n_classes)) * weight[:, None]
    totals = of_class.sum(axis=0)
    means: np.ndarray = probabilities.T @ of_class / np.where(totals > 0, totals, 1.0)
    return means


def black_box(means: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """``(n_classes,)`` frequencies, at least 0 and summing to 1, that explain observed mean probabilities best.

    Args:
        means: ``(n_classes, n_classes)`` as `mean_probabilities` gives them.
        observed: ``(n_classes,)`` mean probabilities of the new rows.
    """
    from scipy.optimize import nnls

    # A heavy last row keeps the sum at 1.
    heavy = 1e3
    system, target = np.vstack([means, np.full(means.shape[1], heavy)]), np.append(observed, heavy)
    found, _ = nnls(system, target)
    share: np.ndarray = found / max(float(found.sum()), LEAST)
    return share


def separation(means: np.ndarray) -> float:
    """How well the classes' mean probabilities are told apart, 0 (two are alike) to 1 (all are certain): the smallest
    singular value of their matrix."""
    return float(np.linalg.svd(means, compute_uv=False).min(initial=1.0))

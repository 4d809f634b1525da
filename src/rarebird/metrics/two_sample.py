"""A classifier two-sample test: do two sets of rows come from one source?

Lopez-Paz & Oquab, "Revisiting classifier two-sample tests", ICLR 2017: half of the rows teach a linear classifier to
tell the two sets apart, and it ranks the other half; then the halves change places. If both come from one source, the
ranks are random: the p-value is that of Mann and Whitney's test, exact on few rows, and needs no permutations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rarebird.metrics import rank_test

# Principal components of the features; strength of the ridge, as a share of the rows.
COMPONENTS, RIDGE = 20, 0.3
# Standard deviations at which a component is clipped.
CLIP = 4.0


@dataclass(frozen=True)
class Sample:
    """Features ``(n, d)`` of one of the two sets, and ``(n,)`` codes of units (groups, copies) that stay together."""

    features: np.ndarray
    unit: np.ndarray


@dataclass(frozen=True)
class Components:
    """Principal components of standardized features and their squares, as they were fitted to some rows.

    Attributes:
        mean, spread: ``(d,)`` of the features that vary; `varies` is their mask.
        vectors: ``(d, k)``, scaled so that the components of the fitted rows have a variance of 1.
        square_mean: ``(k,)`` means of the squares.
    """

    varies: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    vectors: np.ndarray
    square_mean: np.ndarray

    @classmethod
    def fit(cls, features: np.ndarray, most: int = COMPONENTS) -> Components:
        """The first `most` components of features ``(n, d)``."""
        spread = features.std(axis=0)
        varies = spread > 1e-9
        mean, spread = features.mean(axis=0)[varies], spread[varies]
        standardized = (features[:, varies] - mean) / spread
        n, d = standardized.shape
        # The eigenvectors of the smaller of the two products: of the features, or of the rows.
        sizes, vectors = np.linalg.eigh(standardized.T @ standardized if d <= n else standardized @ standardized.T)
        kept = np.flatnonzero(sizes > 1e-9 * sizes.max(initial=0.0))[::-1][:most]
        basis = vectors[:, kept] if d <= n else standardized.T @ vectors[:, kept] / np.sqrt(sizes[kept])
        basis = basis * np.sqrt(n / sizes[kept])
        parts = np.clip(standardized @ basis, -CLIP, CLIP)
        return cls(varies, mean, spread, basis, (parts**2).mean(axis=0))

    def of(self, features: np.ndarray) -> np.ndarray:
        """``(n, 2 k)`` components and centered squares of other rows."""
        standardized = (features[:, self.varies] - self.mean) / self.spread
        parts = np.clip(standardized @ self.vectors, -CLIP, CLIP)
        return np.column_stack([parts, parts**2 - self.square_mean])


def two_sample_test(first: Sample, second: Sample, draw: np.random.Generator) -> tuple[float, float]:
    """The p-value, and the mean area under the ROC curve with which the two sets are told apart."""
    pooled = np.concatenate([first.features, second.features])
    pooled = Components.fit(pooled).of(pooled)
    values = (pooled[: len(first.features)], pooled[len(first.features) :])
    parts = [halves(one.unit, draw) for one in (first, second)]
    p_values, areas = [], []
    for half in (0, 1):
        learned = [part[is_half == half] for part, is_half in zip(values, parts, strict=True)]
        weights = _discriminant(learned[0], learned[1])
        ranked = [
            _unit_means(part[is_half != half] @ weights, one.unit[is_half != half])
            for part, is_half, one in zip(values, parts, (first, second), strict=True)
        ]
        p_value, area = rank_test.larger(ranked[1], ranked[0])
        p_values.append(p_value)
        areas.append(area)
    return min(2 * min(p_values), 1.0), float(np.mean(areas))


def halves(unit: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """``(n,)`` 0 or 1; the rows of one unit are in one half."""
    n_units = int(unit.max()) + 1
    half: np.ndarray = (draw.permutation(n_units) % 2)[unit]
    return half


def _discriminant(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The direction that tells two sets apart: ridge regression on their membership, both sets with equal weight."""
    weight = np.concatenate([np.full(len(part), 0.5 / len(part)) for part in (first, second)])
    values = np.concatenate([first, second])
    values = values - weight @ values
    target = np.concatenate([np.full(len(first), -1.0), np.ones(len(second))])
    covariance = (values * weight[:, None]).T @ values + RIDGE * np.eye(values.shape[1])
    solved: np.ndarray = np.linalg.solve(covariance, (values * weight[:, None]).T @ target)
    return solved


def _unit_means(scores: np.ndarray, unit: np.ndarray) -> np.ndarray:
    _, code = np.unique(unit, return_inverse=True)
    means: np.ndarray = np.bincount(code, scores) / np.bincount(code)
    return means

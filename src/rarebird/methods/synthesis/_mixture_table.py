"""Mixtures of factorized Gaussians and shares of categories, one for each class of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rarebird.core.compute import Compute
from rarebird.data.dataset import Dataset, Frame
from rarebird.data.row_counts import rows_of
from rarebird.methods.synthesis._generator import reported
from rarebird.methods.synthesis._table_codec import Encoded, TableCodec

# Rows that a component has at least; rows by which variances and shares are drawn towards those of all classes.
ROWS_PER_COMPONENT, PRIOR_ROWS = 10, 1.0
# Starts of each number of components; smallest variance; relative gain that ends the iterations.
STARTS, LEAST_VARIANCE, TOLERANCE = 2, 1e-4, 1e-5
# Most numbers of components that are tried for a class.
MOST_TRIED = 6


@dataclass(frozen=True, eq=False)
class Components:
    """The mixture of one class.

    Attributes:
        share: ``(k,)``.
        mean, variance: ``(k, n_numbers)``.
        categories: For each column of codes, ``(k, cardinality)`` shares.
    """

    share: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    categories: tuple[np.ndarray, ...]

    def log_densities(self, rows: Encoded) -> np.ndarray:
        """``(n, k)`` log of the density of each row with each component, times its share; missing numbers do not
        count."""
        found: np.ndarray = np.log(np.maximum(self.share, 1e-300)) + np.zeros((len(rows.numbers), 1))
        for place, (mean, variance) in enumerate(zip(self.mean.T, self.variance.T, strict=True)):
            apart = (rows.numbers[:, place, None] - mean) ** 2 / variance
            found -= np.where(rows.known[:, place, None], 0.5 * (apart + np.log(2 * np.pi * variance)), 0.0)
        for column, shares in zip(rows.codes.T, self.categories, strict=True):
            found += np.log(np.maximum(shares[:, column].T, 1e-300))
        return found


@dataclass(frozen=True, eq=False)
class Prior:
    """Towards what variances and shares are drawn: ``(n_numbers,)`` variances within classes, and the shares of each
    category column over all classes."""

    variance: np.ndarray
    categories: tuple[np.ndarray, ...]


@dataclass(frozen=True, eq=False)
class MixtureRows:
    """The mixtures of all classes; None for a class without rows."""

    codec: TableCodec
    classes: tuple[Components | None, ...]

    def rows(self, code: int, n: int, draw: np.random.Generator) -> Frame:
        """Raw rows of a class: a component each, and each cell from it."""
        own = self.classes[code]
        assert own is not None
        chosen = draw.choice(len(own.share), n, p=own.share)
        numbers = own.mean[chosen] + draw.normal(size=(n, own.mean.shape[1])) * np.sqrt(own.variance[chosen])
        codes = np.zeros((n, len(own.categories)), np.int64)
        for place, shares in enumerate(own.categories):
            above = shares.cumsum(axis=1)[chosen] > draw.random((n, 1)) * shares[chosen].sum(axis=1, keepdims=True)
            codes[:, place] = above.argmax(axis=1)
        return self.codec.decode(numbers, codes, draw, ranked=False)

    def state(self) -> dict[str, Any]:
        """The columns, and which classes have a mixture."""
        return {"codec": self.codec.state(), "classes": [own is not None for own in self.classes]}

    def arrays(self) -> dict[str, np.ndarray]:
        """The parameters of all classes."""
        found = {f"codec {name}": values for name, values in self.codec.arrays().items()}
        for code, own in enumerate(self.classes):
            if own is not None:
                found |= {f"{code} share": own.share, f"{code} mean": own.mean, f"{code} variance": own.variance}
                found |= {f"{code} column {place}": shares for place, shares in enumerate(own.categories)}
        return found


def fit(settings: Any, train: Dataset, compute: Compute, draw: np.random.Generator) -> MixtureRows:
    """A mixture of each class that has rows."""
    codec = TableCodec.fit(train)
    rows, codes, count = codec.encode(train, draw, ranked=False), train.codes, rows_of(train.weights)
    prior = _prior(rows, codes, count, codec.cardinalities)
    told, classes = reported(compute, settings.name), []
    for code in range(train.n_classes):
        own = np.flatnonzero((codes == code) & (count > 0))
        classes.append(_fitted(settings, _taken(rows, own), count[own], prior, draw) if len(own) else None)
        told((code + 1) / train.n_classes)
    return MixtureRows(codec, tuple(classes))


def restore(settings: Any, like: Dataset, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> MixtureRows:
    """The mixtures from JSON and arrays."""
    within = {name.removeprefix("codec "): values for name, values in arrays.items() if name.startswith("codec ")}
    codec = TableCodec.restore(like, state["codec"], within)
    columns = range(len(codec.cardinalities))
    classes = [
        Components(
            arrays[f"{code} share"],
            arrays[f"{code} mean"],
            arrays[f"{code} variance"],
            tuple(arrays[f"{code} column {place}"] for place in columns),
        )
        if known
        else None
        for code, known in enumerate(state["classes"])
    ]
    return MixtureRows(codec, tuple(classes))


def _fitted(settings: Any, rows: Encoded, count: np.ndarray, prior: Prior, draw: np.random.Generator) -> Components:
    """The mixture of one class, with the number of components of the smallest information criterion."""
    most = int(np.clip(count.sum() // ROWS_PER_COMPONENT, 1, min(settings.components, len(count))))
    tried = np.unique(np.rint(np.geomspace(1, most, MOST_TRIED)).astype(int))
    found: list[tuple[float, Components]] = []
    for k in tried:
        best = max(
            (_one_fit(int(k), settings.steps, rows, count, prior, draw) for _ in range(1 if k == 1 else STARTS)),
            key=lambda one: one[0],
        )
        free = k - 1 + k * (2 * rows.numbers.shape[1] + sum(len(shares) - 1 for shares in prior.categories))
        found.append((free * np.log(max(count.sum(), 2.0)) - 2 * best[0], best[1]))
    return min(found, key=lambda one: one[0])[1]


def _one_fit(
    k: int, steps: int, rows: Encoded, count: np.ndarray, prior: Prior, draw: np.random.Generator
) -> tuple[float, Components]:
    """Log likelihood and mixture after one start: rows far from each other are the first means."""
    nearest = _starts(k, rows, draw)
    part = np.eye(k)[nearest]
    likelihood, mixture = -np.inf, _maximized(part, rows, count, prior)
    for _ in range(steps):
        densities = mixture.log_densities(rows)
        largest = densities.max(axis=1, keepdims=True)
        total = largest[:, 0] + np.log(np.exp(densities - largest).sum(axis=1))
        before, likelihood = likelihood, float(count @ total)
        if k == 1 or likelihood - before < TOLERANCE * abs(likelihood):
            break
        mixture = _maximized(np.exp(densities - total[:, None]), rows, count, prior)
    return likelihood, mixture


def _starts(k: int, rows: Encoded, draw: np.random.Generator) -> np.ndarray:
    """``(n,)`` the nearest of `k` rows, each drawn in proportion to its squared distance from those before
    (k-means++)."""
    axes = [np.eye(int(column.max(initial=0)) + 1)[column] for column in rows.codes.T]
    points = np.concatenate([rows.numbers, *axes], axis=1)
    center = int(draw.integers(len(points)))
    distance = ((points - points[center]) ** 2).sum(axis=1)
    nearest = np.zeros(len(points), np.int64)
    for place in range(1, k):
        total = distance.sum()
        center = int(draw.choice(len(points), p=distance / total if total > 0 else None))
        other = ((points - points[center]) ** 2).sum(axis=1)
        nearest, distance = np.where(other < distance, place, nearest), np.minimum(distance, other)
    return nearest


def _maximized(part: np.ndarray, rows: Encoded, count: np.ndarray, prior: Prior) -> Components:
    """The parameters, given ``(n, k)`` the share that each component has in each row."""
    weight = part * count[:, None]
    total = weight.sum(axis=0)
    known = weight.T @ rows.known
    mean = weight.T @ (rows.numbers * rows.known) / np.maximum(known, 1e-12)
    squares = weight.T @ (rows.numbers**2 * rows.known) / np.maximum(known, 1e-12)
    scatter = known * np.maximum(squares - mean**2, 0.0)
    # Many components share the spread of the class (Fraley and Raftery, 2007).
    expected = prior.variance / part.shape[1] ** (2 / max(mean.shape[1], 1))
    variance = (scatter + PRIOR_ROWS * expected) / (known + PRIOR_ROWS)
    categories = []
    for column, shares in zip(rows.codes.T, prior.categories, strict=True):
        counted = weight.T @ np.eye(len(shares))[column] + PRIOR_ROWS * shares
        categories.append(counted / counted.sum(axis=1, keepdims=True))
    return Components(total / total.sum(), mean, np.maximum(variance, LEAST_VARIANCE), tuple(categories))


def _prior(rows: Encoded, codes: np.ndarray, count: np.ndarray, cardinalities: tuple[int, ...]) -> Prior:
    """Variances within classes, of all classes together, and the shares of all categories."""
    squares, known = np.zeros(rows.numbers.shape[1]), np.full(rows.numbers.shape[1], 1e-12)
    for code in np.unique(codes):
        own = codes == code
        weight = count[own, None] * rows.known[own]
        mean = (weight * rows.numbers[own]).sum(axis=0) / np.maximum(weight.sum(axis=0), 1e-12)
        squares += (weight * (rows.numbers[own] - mean) ** 2).sum(axis=0)
        known += weight.sum(axis=0)
    shares = [np.bincount(column, count, size) for column, size in zip(rows.codes.T, cardinalities, strict=True)]
    return Prior(np.maximum(squares / known, LEAST_VARIANCE), tuple(counted / counted.sum() for counted in shares))


def _taken(rows: Encoded, own: np.ndarray) -> Encoded:
    return Encoded(rows.numbers[own], rows.codes[own], rows.known[own])

"""Weighted ridge regressions for all penalties from one eigendecomposition, and their exact leave-one-out predictions.

Minimized is ``sum_i w_i |y_i - b - B x_i|^2 + penalty |B|^2``; the intercept b is not penalized. With the weighted
means taken out and rows scaled by ``sqrt(w_i)``, let ``U S U'`` be the decomposition of the rows' products, and u the
unit vector of the ``sqrt(w_i)``. The fitted values are ``H z`` with ``H = u u' + U diag(s / (s + penalty)) U'``, and
the residual of a row (or a group of rows g) that was left out is ``(I - H_gg)^-1 r_g``: Allen's PRESS (Technometrics
1974), by block for groups. So a new penalty costs one product, and no fit is repeated.

Fewer rows than features are decomposed as ``(n, n)`` products of rows (the dual), others as ``(width, width)`` products
of features (the primal). Everything is float64; the products of many float32 features are summed block by block.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

# Eigenvalues below this share of the largest one are rounding errors.
LEAST_EIGENVALUE = 1e-13
# Columns whose products are computed in the features' own precision before they are added in float64, and rows of a
# tile; products are symmetric, so that only half of the tiles are computed.
COLUMNS, TILE = 4096, 512


class RidgePath:
    """The decomposition of weighted rows: fits and leave-one-out predictions for any targets and penalty.

    Args:
        features: ``(n, width)`` floating-point features.
        weight: ``(n,)`` float64 weights above 0; weight k is the row k times.
        groups: ``(n,)`` labels, equal for rows that are left out together; None: each row alone.
        products: The features' products as `row_products` gives them, which do not depend on the weights; None:
            computed here where they are needed.

    Attributes:
        scale: The weighted mean squared distance of the rows from their mean: the unit for penalties.
    """

    def __init__(
        self, features: Tensor, weight: Tensor, groups: np.ndarray | None = None, products: Tensor | None = None
    ) -> None:
        self.features, self.weight = features, weight
        self._root = weight.sqrt()
        self._mean_direction = self._root / self._root.norm()
        self._blocks = None if groups is None else blocks_of(groups)
        if len(features) <= features.shape[1]:
            products = row_products(features) if products is None else products
            self._values, self._vectors = _dual(products, weight)
        else:
            self._values, self._vectors = _primal(features, weight)
        self.scale = float(self._values.sum() / weight.sum())
        spanned = self._vectors.square().sum(dim=1) + self._mean_direction.square()
        # Where rows and their mean span everything, what is left is a rounding error.
        is_complete = self._vectors.shape[1] == len(features) - 1
        self._beyond = torch.zeros_like(spanned) if is_complete else (1 - spanned).clamp(min=0)
        self._is_complete = is_complete

    def left_out(self, targets: Tensor, penalty: float) -> Tensor:
        """``(n, k)`` predictions of each row by the ridge regression on all other rows (or on all other groups).

        Args:
            targets: ``(n, k)`` float64.
            penalty: Above 0.
        """
        scaled = targets * self._root[:, None]
        kept = penalty / (self._values + penalty)
        residuals = self._residuals(scaled, kept)
        left_out = residuals / (self._vectors.square() @ kept + self._beyond)[:, None]
        for rows in self._blocks or ():
            left_out[rows] = torch.linalg.solve(self._block(rows, kept), residuals[rows])
        return targets - left_out / self._root[:, None]

    def coefficients(self, targets: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
        """``(k, width)`` coefficients and ``(k,)`` intercepts of the regression on all rows; float64."""
        share = self.weight / self.weight.sum()
        scaled = targets * self._root[:, None]
        inner = (self._vectors.T @ scaled) / (self._values + penalty)[:, None]
        dual = (self._vectors @ inner) * self._root[:, None]
        *coefficients, mean = _transposed_product(self.features, torch.cat([dual, share[:, None]], dim=1))
        slopes = torch.stack(coefficients)
        return slopes, share @ targets - slopes @ mean

    def _residuals(self, scaled: Tensor, kept: Tensor) -> Tensor:
        """``(I - H) scaled``, without taking the difference of large numbers where the penalty is small."""
        inner = self._vectors.T @ scaled
        residuals = self._vectors @ (kept[:, None] * inner)
        if not self._is_complete:
            direction = self._mean_direction
            residuals += scaled - torch.outer(direction, direction @ scaled) - self._vectors @ inner
        return residuals

    def _block(self, rows: Tensor, kept: Tensor) -> Tensor:
        """``I - H`` among some rows."""
        vectors = self._vectors[rows]
        block = (vectors * kept) @ vectors.T
        if not self._is_complete:
            direction = self._mean_direction[rows]
            block += torch.eye(len(rows), dtype=block.dtype, device=block.device)
            block -= torch.outer(direction, direction) + vectors @ vectors.T
        return block


def row_products(features: Tensor) -> Tensor:
    """``(n, n)`` float64 products of all pairs of rows of features ``(n, width)``, whose means are taken out first: far
    from 0 the products of float32 numbers would lose their last digits."""
    n = len(features)
    products = torch.zeros(n, n, dtype=torch.float64, device=features.device)
    for columns in torch.split(features, COLUMNS, dim=1):
        columns = columns - columns.mean(dim=0)
        for start in range(0, n, TILE):
            tile = slice(start, min(start + TILE, n))
            products[tile, : tile.stop] += columns[tile] @ columns[: tile.stop].T
    return products.tril() + products.tril(-1).T


def blocks_of(groups: np.ndarray) -> Sequence[Tensor]:
    """The positions of the rows of each group of two rows or more."""
    _, codes, counts = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(counts)
    return [torch.from_numpy(order[end - count : end]) for end, count in zip(ends, counts, strict=True) if count > 1]


def _dual(products: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues ``(r,)`` and vectors ``(n, r)`` of the products of centered, weighted rows."""
    share, root = weight / weight.sum(), weight.sqrt()
    mean = products @ share
    centered = products - mean[:, None] - mean + mean @ share
    values, vectors = torch.linalg.eigh(centered * root * root[:, None])
    kept = values > LEAST_EIGENVALUE * (products.diagonal() @ weight)
    kept[0] = False  # the rows' mean is one direction without spread
    return values[kept], vectors[:, kept]


def _primal(features: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """The same as `_dual` from the products of centered, weighted features."""
    root = weight.sqrt()
    rows = features.double()
    squares = rows.square().sum(dim=1) @ weight
    rows = (rows - (weight / weight.sum()) @ rows) * root[:, None]
    values, directions = torch.linalg.eigh(rows.T @ rows)
    kept = values > LEAST_EIGENVALUE * squares
    values = values[kept]
    return values, (rows @ directions[:, kept]) / values.sqrt()


def _transposed_product(features: Tensor, right: Tensor) -> Tensor:
    """``right' features``, ``(n, width), (n, k) -> (k, width)`` float64, block by block."""
    return torch.cat([right.T @ part.double() for part in torch.split(features, COLUMNS, dim=1)], dim=1)

"""Density-weighted squared error: rows whose target is rare count more.

Steininger, Kobs, Davidson, Krause and Hotho, "Density-based weighting for imbalanced regression" (DenseWeight), Machine
Learning 2021: ``w(y) (output - y)^2`` with ``w(y) = max(1 - alpha d(y), floor)``, where d is the density of the
training targets, smoothed by a Gaussian kernel and scaled to 0..1; the weights are scaled so that their mean over the
training rows is 1. At ``alpha = 1`` the most common target has nearly no weight; below 1 it has the share ``1 - alpha``
of a rare one's weight.

*Helps when* targets are skewed, and the few rows of the long tail must be predicted as well as the many common ones.

*Does not help when* the model is scored by its mean error over all rows: common rows are predicted worse for the sake
of rare ones. Nor when extreme targets are errors (see `huber`), nor for classes, which it refuses.

Cost: one look-up in a table per row; the density is smoothed once, on a grid.

NOTE[DIFF]: Silverman's bandwidth with the smaller of standard deviation and interquartile range, as a long tail would
make it too wide for the common targets; a histogram on a grid in place of the sum over all rows.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from rarebird.core.checks import require
from rarebird.data.row_counts import quantiles
from rarebird.methods.loss.mean_squared import errors
from rarebird.slots.methods import Method
from rarebird.slots.protocols import TargetStatistics
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")
FLOOR = 1e-3
STEPS_PER_BANDWIDTH, MOST_STEPS = 8, 8192
REACH = 4.0


class DensityWeighted(Method):
    """How much more rare targets count than common ones.

    Attributes:
        alpha: 0 is `mean_squared`; at 1 the most common target has nearly no weight.
    """

    tasks: ClassVar[tuple[str, ...]] = ("regression",)
    per_row: ClassVar[bool] = True

    alpha: Annotated[float, Float(0, 1)] = Field(default=0.9, ge=0, le=2)

    @classmethod
    def examples(cls) -> list[Self]:
        """The default, the squared error, and the paper's full weights."""
        return [cls(), cls(alpha=0.0), cls(alpha=1.0)]

    def build(self, targets: TargetStatistics) -> nn.Module:
        """The loss as a module.

        Raises:
            ValueError: The target is a class, so that there are no values.
        """
        require(
            targets.values is not None,
            "density_weighted is for numbers, with the training rows' values",
            values=targets.values,
        )
        assert targets.values is not None
        rows = np.ones(len(targets.values)) if targets.rows is None else targets.rows
        grid, weights = density_weights(targets.values, rows, self.alpha)
        return DensityWeightedModule(grid, weights)

    def prior_factor(self, targets: TargetStatistics) -> np.ndarray | None:
        """None: numbers have no prior over classes."""
        return None


class DensityWeightedModule(nn.Module):
    """``outputs (batch, n_outputs), y (batch, n_outputs) -> (batch,)``, weights read from a table over an even grid of
    targets."""

    weights: Tensor

    def __init__(self, grid: np.ndarray, weights: np.ndarray) -> None:
        super().__init__()
        self.low, self.step = float(grid[0]), float(grid[1] - grid[0])
        self.register_buffer("weights", torch.as_tensor(weights, dtype=torch.float32), persistent=False)

    def forward(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Weighted squared error per row."""
        return (errors(outputs, y).square() * self.weight(y)).mean(dim=1)

    def weight(self, y: Tensor) -> Tensor:
        """The weight of each target: linear between the grid's points, constant beyond its ends."""
        weights = self.weights.to(y.device)
        place = ((y - self.low) / self.step).clamp(0, len(weights) - 1)
        below = place.floor().long().clamp(max=len(weights) - 2)
        return torch.lerp(weights[below].to(y.dtype), weights[below + 1].to(y.dtype), place - below)


def density_weights(values: np.ndarray, rows: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Targets on an even grid and their weights, ``(n_grid,)`` each; the mean weight of the `values` ``(n,)``, each
    counting for `rows` ``(n,)`` rows, is 1."""
    grid, scaled = density(values, rows)
    weights = np.maximum(1 - alpha * scaled, FLOOR)
    return grid, weights / np.average(np.interp(values, grid, weights), weights=rows)


def density(values: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """An even grid from the smallest to the largest value and their smoothed density on it, whose largest is 1;
    ``(n_grid,)`` each."""
    low, high = float(values.min()), float(values.max())
    if high == low:
        return np.array([low - 0.5, low + 0.5]), np.ones(2)
    width = _bandwidth(values, rows)
    steps = int(np.clip(np.ceil((high - low) / width * STEPS_PER_BANDWIDTH), 64, MOST_STEPS))
    grid, step = np.linspace(low, high, steps + 1, retstep=True)
    # A row between two grid points counts for both by its distance to them, so that the smoothed density does not
    # depend on the position of the grid.
    place = np.clip((values - low) / step, 0, steps)
    below = np.minimum(place.astype(np.int64), steps - 1)
    above = place - below
    on_grid = np.bincount(below, rows * (1 - above), steps + 1) + np.bincount(below + 1, rows * above, steps + 1)
    reach = int(np.ceil(REACH * width / step))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / width) ** 2)
    smoothed = np.convolve(on_grid, kernel)[reach : reach + steps + 1]
    return grid, smoothed / smoothed.max()


def _bandwidth(values: np.ndarray, rows: np.ndarray) -> float:
    """Silverman's rule of thumb for a Gaussian kernel."""
    mean = np.average(values, weights=rows)
    spread = float(np.sqrt(np.average(np.square(values - mean), weights=rows)))
    lower, upper = quantiles(values, rows, np.array([0.25, 0.75]))
    robust = float(upper - lower) / 1.349
    return 0.9 * min(spread, robust if robust > 0 else spread) / float(rows.sum() ** 0.2)

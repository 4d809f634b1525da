"""Density weights: scipy's kernel density as the referee, and weights that rise where targets are rare."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import gaussian_kde

from rarebird.methods.loss.density_weighted import FLOOR, DensityWeighted, density, density_weights
from rarebird.methods.loss.mean_squared import mean_squared
from rarebird.slots.protocols import TargetStatistics

SKEWED = np.random.default_rng(0).lognormal(size=2000)
SKEWED = (SKEWED - SKEWED.mean()) / SKEWED.std()


def tensor(values: np.ndarray) -> torch.Tensor:
    return torch.tensor(values[:, None])


def test_density_is_scipys_with_silvermans_bandwidth() -> None:
    values = np.random.default_rng(1).normal(size=500)
    grid, ours = density(values, np.ones(len(values)))
    spread = min(values.std(), np.subtract(*np.percentile(values, [75, 25])) / 1.349)
    referee = gaussian_kde(values, bw_method=0.9 * spread * 500**-0.2 / values.std(ddof=1))(grid)
    np.testing.assert_allclose(ours, referee / referee.max(), atol=5e-3)


def test_a_long_tail_and_a_far_row_do_not_blur_the_bulk() -> None:
    values = np.append(SKEWED, 1000.0)
    grid, ours = density(values, np.ones(len(values)))
    assert len(grid) <= 8193
    assert abs(grid[ours.argmax()] - np.median(SKEWED)) < 0.5


def test_rare_targets_count_more_and_the_mean_weight_is_one() -> None:
    for alpha in (0.5, 0.9, 1.0, 1.5):
        module = DensityWeighted(alpha=alpha).build(TargetStatistics(values=SKEWED))
        weight = module.weight(tensor(SKEWED))
        assert weight.mean().item() == pytest.approx(1, rel=1e-4)
        assert (weight > 0).all()
        common, tail = module.weight(torch.tensor([[np.median(SKEWED)], [SKEWED.max()]]))[:, 0]
        assert tail > common


def test_alpha_zero_is_the_squared_error() -> None:
    outputs, y = torch.zeros(2000, 1, dtype=torch.float64), tensor(SKEWED)
    ours = DensityWeighted(alpha=0).build(TargetStatistics(values=SKEWED))(outputs, y)
    torch.testing.assert_close(ours, mean_squared(outputs, y))


def test_weights_are_one_minus_alpha_times_the_density_down_to_the_floor() -> None:
    grid, scaled = density(SKEWED, np.ones(len(SKEWED)))
    for alpha in (0.7, 1.2):
        _, weights = density_weights(SKEWED, np.ones(len(SKEWED)), alpha)
        expected = np.maximum(1 - alpha * scaled, FLOOR)
        np.testing.assert_allclose(weights / weights.max(), expected / expected.max())
    module = DensityWeighted(alpha=0.7).build(TargetStatistics(values=SKEWED))
    between = np.random.default_rng(0).uniform(grid[0], grid[-1], 50)
    np.testing.assert_allclose(
        module.weight(tensor(between))[:, 0],
        np.interp(between, *density_weights(SKEWED, np.ones(len(SKEWED)), 0.7)),
        rtol=1e-4,
    )


def test_targets_beyond_the_training_rows_count_as_the_outermost() -> None:
    module = DensityWeighted().build(TargetStatistics(values=SKEWED))
    inside = module.weight(torch.tensor([[SKEWED.min()], [SKEWED.max()]]))
    torch.testing.assert_close(module.weight(torch.tensor([[-1e6], [1e6]], dtype=torch.float64)), inside.double())


@pytest.mark.parametrize("values", [np.zeros(5), np.array([3.0]), np.array([0.0, 0.0, 0.0, 0.0, 1.0])])
def test_constant_single_and_nearly_constant_targets_are_handled(values: np.ndarray) -> None:
    weight = DensityWeighted(alpha=1.0).build(TargetStatistics(values=values)).weight(tensor(values))
    assert torch.isfinite(weight).all()
    assert weight.mean().item() == pytest.approx(1, rel=1e-4)


def test_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="density_weighted is for numbers"):
        DensityWeighted().build(TargetStatistics(np.array([5, 5])))

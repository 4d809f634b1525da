"""Leave-one-out predictions of ridge regressions are those of regressions that were fitted without the row."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from rarebird.methods.head._ridge_path import RidgePath, row_products

SHAPES = [pytest.param(24, 60, id="dual"), pytest.param(40, 7, id="primal"), pytest.param(20, 20, id="square")]
PENALTIES = (1e-3, 1.0, 300.0)


def made(n: int, width: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(3.0, 1.0, (n, width)) * rng.uniform(0.1, 2, width)
    y = np.stack([np.sin(x[:, 0]) + rng.normal(0, 0.3, n), rng.normal(5, 1, n)], axis=1)
    return x, y, rng.uniform(0.2, 4.0, n)


def path_of(x: np.ndarray, weight: np.ndarray, groups: np.ndarray | None = None) -> RidgePath:
    return RidgePath(torch.from_numpy(x), torch.from_numpy(weight), groups)


def refitted(x: np.ndarray, y: np.ndarray, weight: np.ndarray, groups: np.ndarray, penalty: float) -> np.ndarray:
    """Each group's rows by scikit-learn's ridge regression on the rows of all others."""
    predicted = np.empty_like(y)
    for group in np.unique(groups):
        out = groups == group
        model = Ridge(alpha=penalty, solver="svd").fit(x[~out], y[~out], sample_weight=weight[~out])
        predicted[out] = model.predict(x[out])
    return predicted


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize(("n", "width"), SHAPES)
def test_leave_one_out_is_a_fit_without_the_row(n: int, width: int, penalty: float) -> None:
    x, y, weight = made(n, width)
    found = path_of(x, weight).left_out(torch.from_numpy(y), penalty).numpy()
    np.testing.assert_allclose(found, refitted(x, y, weight, np.arange(n), penalty), rtol=0, atol=1e-8)


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize(("n", "width"), SHAPES)
def test_groups_are_left_out_together(n: int, width: int, penalty: float) -> None:
    x, y, weight = made(n, width, seed=1)
    groups = np.random.default_rng(2).integers(0, n // 3, n)
    x[1], groups[1] = x[0], groups[0]  # a copy, kept together with its row
    found = path_of(x, weight, groups).left_out(torch.from_numpy(y), penalty).numpy()
    np.testing.assert_allclose(found, refitted(x, y, weight, groups, penalty), rtol=0, atol=1e-8)


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize(("n", "width"), SHAPES)
def test_coefficients_are_those_of_a_reference(n: int, width: int, penalty: float) -> None:
    x, y, weight = made(n, width)
    slopes, intercepts = path_of(x, weight).coefficients(torch.from_numpy(y), penalty)
    model = Ridge(alpha=penalty, solver="svd").fit(x, y, sample_weight=weight)
    np.testing.assert_allclose(slopes.numpy(), model.coef_, rtol=0, atol=1e-8)
    np.testing.assert_allclose(intercepts.numpy(), model.intercept_, rtol=0, atol=1e-7)


@pytest.mark.parametrize(("n", "width"), SHAPES)
def test_weight_k_is_the_row_k_times(n: int, width: int) -> None:
    x, y, _ = made(n, width)
    counts = np.random.default_rng(3).integers(1, 4, n)
    rows = np.repeat(np.arange(n), counts)
    weighted, copied = path_of(x, counts.astype(float)), path_of(x[rows], np.ones(len(rows)), rows)
    assert weighted.scale == pytest.approx(copied.scale, rel=1e-10)
    for penalty in PENALTIES:
        for one, other in zip(
            weighted.coefficients(torch.from_numpy(y), penalty),
            copied.coefficients(torch.from_numpy(y[rows]), penalty),
            strict=True,
        ):
            torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8)
        # The copies of a row are left out together.
        found = weighted.left_out(torch.from_numpy(y), penalty)[rows]
        torch.testing.assert_close(found, copied.left_out(torch.from_numpy(y[rows]), penalty), rtol=0, atol=1e-8)


def test_products_of_many_float32_features_keep_their_digits() -> None:
    x = np.random.default_rng(0).normal(30, 1, (700, 9_000)).astype(np.float32)
    exact = x.astype(np.float64) - x.astype(np.float64).mean(axis=0)
    exact = exact @ exact.T
    found = row_products(torch.from_numpy(x))
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found.numpy(), exact, rtol=0, atol=3e-6 * exact.max())


@pytest.mark.parametrize("width", [1, 50])
def test_features_without_spread_predict_the_mean_of_the_others(width: int) -> None:
    y = torch.tensor([[1.0], [2.0], [6.0]], dtype=torch.float64)
    path = RidgePath(torch.full((3, width), 7.0), torch.ones(3, dtype=torch.float64))
    torch.testing.assert_close(path.left_out(y, 1.0)[:, 0], torch.tensor([4.0, 3.5, 1.5], dtype=torch.float64))
    slopes, intercepts = path.coefficients(y, 1.0)
    assert not slopes.any()
    assert intercepts.item() == pytest.approx(3.0)

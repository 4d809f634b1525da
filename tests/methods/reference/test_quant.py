"""Quantiles of intervals, step by step in numpy, and trees on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from rarebird.core.compute import Compute
from rarebird.data.dataset import Curves, Dataset, Splits
from rarebird.experiment.run import run
from rarebird.methods.reference import _interval_quantiles as module
from rarebird.model.model import load
from rarebird.recipe.recipe import Recipe
from rarebird.training.cross_fit import cross_fit_all


def waves(n: int = 60, length: int = 40, channels: int = 2, seed: int = 0) -> Dataset:
    """Series of unequal lengths, with gaps, whose spread differs between the classes in the second half."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    values = rng.normal(size=(n, channels, length)).astype(np.float32)
    values[:, :, length // 2 :] *= 1 + 2 * y[:, None, None]
    values[0, 0, 3:6] = np.nan
    lengths = rng.integers(length - 8, length + 1, n)
    lengths[0] = length
    values[np.broadcast_to((np.arange(length) >= lengths[:, None])[:, None], values.shape)] = np.nan
    return Dataset(
        "series", "classification", Curves(values, lengths), np.arange(n), y, ("a", "b"), np.arange(n).astype(str)
    )


def recipe(**changes: Any) -> Recipe:
    plain = {"kind": "series", "network": "random_kernels", "reference": {"name": "quant", "rounds": 20}, "threads": 1}
    return Recipe(**{**plain, "folds": 3, **changes})


@pytest.mark.parametrize("steps", [1, 4, 5, 9, 37])
def test_quantiles_are_those_of_numpy(steps: int) -> None:
    part = np.random.default_rng(0).normal(size=(3, 2, steps)).astype(np.float32)
    found = module.quantiles(torch.from_numpy(part)).numpy()
    count = 1 + (steps - 1) // 4
    expected = np.quantile(part, np.linspace(0, 1, count) if count > 1 else [0.5], axis=2).transpose(1, 2, 0)
    expected[..., 1::2] -= part.mean(axis=2, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_intervals_are_halved_and_moved_by_half() -> None:
    assert module.intervals(8) == [
        (0, 8),
        (0, 4),
        (4, 8),
        (2, 6),
        (0, 2),
        (2, 4),
        (4, 6),
        (6, 8),
        (1, 3),
        (3, 5),
        (5, 7),
    ] + [(step, step + 1) for step in range(8)]
    assert module.intervals(1) == [(0, 1)]
    for length in (2, 7, 100, 501):
        assert all(0 <= begin < end <= length for begin, end in module.intervals(length))
        assert len(module.intervals(length)) <= 2 * (2**module.DEPTH - 1)


@pytest.mark.parametrize("length", [1, 2, 3, 50])
def test_columns_of_any_length_are_finite_and_counted(length: int) -> None:
    values, lengths = torch.randn(4, 3, length), torch.tensor([length, 1, length, max(length // 2, 1)])
    columns = module.interval_quantiles(values, lengths, length)
    assert columns.shape == (4, 3 * module.n_quantiles(length))
    assert columns.dtype == np.float32
    assert np.isfinite(columns).all()
    alone = module.interval_quantiles(values[2:3], lengths[2:3], length)
    np.testing.assert_allclose(alone[0], columns[2], rtol=1e-5, atol=1e-5)


def test_a_shorter_series_is_stretched() -> None:
    values = torch.tensor([[[0.0, 2.0, 4.0, 0.0, 0.0]], [[1.0, 2.0, 3.0, 4.0, 5.0]]])
    found = module.stretched(values, torch.tensor([3, 5]), 5)
    torch.testing.assert_close(found, torch.tensor([[[0.0, 1, 2, 3, 4]], [[1.0, 2, 3, 4, 5]]]))


def test_trees_find_the_spread_of_a_half_and_repeat_from_their_folder(tmp_path: Any) -> None:
    outcome = run(recipe(), Splits(waves(), test=waves(seed=1)))
    test = outcome.splits.test
    assert test is not None
    assert (outcome.model.labels(outcome.model.outputs(test)) == test.codes).mean() > 0.9
    outcome.model.save(tmp_path / "model")
    np.testing.assert_array_equal(load(tmp_path / "model").outputs(test), outcome.model.outputs(test))
    again = run(Recipe.from_toml(outcome.recipe.to_toml()), Splits(waves(), test=test))
    np.testing.assert_array_equal(again.model.outputs(test), outcome.model.outputs(test))


def test_values_are_predicted_too() -> None:
    from dataclasses import replace

    train = waves(90)
    y = np.nanstd(train.raw()[0][:, :, 20:], axis=(1, 2)).astype(np.float64)
    train = replace(train, task="regression", classes=(), y=y)
    folds = np.arange(90) % 3
    parts = [(np.flatnonzero(folds != part), np.flatnonzero(folds == part)) for part in range(3)]
    models = cross_fit_all(recipe(loss="mean_squared", metric="r2"), Splits(train), parts, Compute())
    assert len(models.trained) == 3

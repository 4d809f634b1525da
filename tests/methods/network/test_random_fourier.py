"""Random Fourier features: their products are the Gaussian kernel's, in units of the training rows' spread."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from rarebird.core.compute import Compute
from rarebird.data.dataset import Splits
from rarebird.data.spec import InputSpec
from rarebird.methods.network.random_fourier import RandomFourier, orthogonal
from rarebird.recipe.recipe import Recipe
from rarebird.training.cross_fit import cross_fit_all
from tests.training.made_rows import rows

BINS = ((-1.0, 0.0, 1.0),) * 3


def network(frequencies: int, width: float = 1.0, linear: float = 1.0) -> Any:
    torch.manual_seed(0)
    settings = RandomFourier(frequencies=frequencies, width=width, linear=linear)
    spec = InputSpec(kind="table", task="classification", n_outputs=2, n_numbers=3, bins=BINS)
    return settings.build(spec).eval()


def inputs(numbers: torch.Tensor) -> dict[str, torch.Tensor]:
    n = len(numbers)
    return {"numbers": numbers, "missing": torch.zeros(n, 3), "categories": torch.zeros(n, 0, dtype=torch.int64)}


def test_products_of_features_are_the_gaussian_kernel() -> None:
    x = inputs(torch.randn(40, 3, generator=torch.Generator().manual_seed(1)))
    found = network(20_000, width=0.7, linear=0.0)
    found.fit_frozen(x, torch.ones(40))
    features = found.features(x)
    numbers = x["numbers"]
    unit = (numbers - numbers.mean(dim=0)).square().sum(dim=1).mean().sqrt()
    expected = torch.exp(-torch.cdist(numbers, numbers).square() / (2 * (0.7 * unit) ** 2))
    torch.testing.assert_close(features @ features.T, expected, rtol=0, atol=0.04)


def test_units_do_not_depend_on_the_scale_of_the_rows_and_count_copies() -> None:
    numbers = torch.randn(20, 3, generator=torch.Generator().manual_seed(1))
    plain, larger, weighted = (network(64) for _ in range(3))
    plain.fit_frozen(inputs(torch.cat([numbers, numbers[:5]])), torch.ones(25))
    larger.fit_frozen(inputs(9 * torch.cat([numbers, numbers[:5]])), torch.ones(25))
    weighted.fit_frozen(inputs(numbers), torch.tensor([2.0] * 5 + [1.0] * 15))
    expected = plain.features(inputs(numbers))
    torch.testing.assert_close(larger.features(inputs(9 * numbers)), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(weighted.features(inputs(numbers)), expected, rtol=1e-4, atol=1e-4)


def test_frequencies_of_a_block_are_orthogonal() -> None:
    torch.manual_seed(0)
    found = orthogonal(7, 3)
    assert found.shape == (7, 3)
    unit = found / found.norm(dim=1, keepdim=True)
    for start in (0, 3):
        torch.testing.assert_close(unit[start : start + 3] @ unit[start : start + 3].T, torch.eye(3), rtol=0, atol=1e-5)
    assert orthogonal(5, 2000).shape == (5, 2000)


def test_a_solved_head_finds_a_ring() -> None:
    """A class that surrounds the other one has no linear border."""
    train = rows(300)
    frame = train.source.frame
    rng = np.random.default_rng(0)
    angle, radius = rng.uniform(0, 6.28, 300), np.where(train.codes == 1, 0.5, 2.0) + rng.normal(0, 0.2, 300)
    frame["a"], frame["b"] = radius * np.cos(angle), radius * np.sin(angle)
    loss = {}
    for name in ("linear", "random_fourier"):
        recipe = Recipe(kind="table", network=name, head="ridge", threads=1)
        models = cross_fit_all(recipe, Splits(train), [(np.arange(300), np.arange(300))], Compute())
        own = models.trained[0].own_outputs
        assert own is not None
        loss[name] = float((own.argmax(axis=1) != train.codes).mean())
    assert loss["random_fourier"] < 0.02 < loss["linear"]

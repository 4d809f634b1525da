"""The autoencoder: its loss, and codes that keep the spread of their class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rarebird.core.checks import DataError
from rarebird.core.compute import Compute
from rarebird.methods.synthesis import _vae_grids as grids
from rarebird.methods.synthesis._grids import grid_rows
from rarebird.methods.synthesis.vae import Vae
from tests.methods.synthesis.made_grids import pictures, series

SMALL = Vae(steps=20, batch_size=8, width=8, code=4)


class Identity(nn.Module):
    """Gives the codes it is asked for as grids."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, code: Tensor, classes: Tensor) -> Tensor:
        return code[:, :, None, None]


def codes_of(counts: tuple[int, ...], size: int = 3) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    classes = np.repeat(np.arange(len(counts)), counts)
    mix = draw.normal(size=(size, size))
    return (draw.normal(size=(len(classes), size)) @ mix + 5 * classes[:, None]).astype(np.float32), classes


@pytest.mark.parametrize("spread", [0.0, 0.7, 3.0])
def test_new_codes_have_the_mean_and_covariance_of_their_class(spread: float) -> None:
    mean, classes = codes_of((400, 300))
    codes = grids.Codes(mean, np.zeros_like(mean), classes, np.ones(len(mean)), grids._spreads(mean, classes, 2))
    rows = grid_rows(pictures((2, 2)))
    sampler = grids.VaeSampler(rows.shape, 2, rows.templates, Identity(), Vae(code=3, spread=spread), codes)
    made = sampler.cells(torch.ones(20_000, dtype=torch.int64), torch.Generator().manual_seed(0))[:, :, 0, 0].numpy()
    own = mean[classes == 1]
    np.testing.assert_allclose(made.mean(axis=0), own.mean(axis=0), atol=0.1)
    np.testing.assert_allclose(np.cov(made.T), np.cov(own.T), atol=0.1 * np.abs(np.cov(own.T)).max())


def test_a_class_of_few_rows_borrows_its_spread() -> None:
    mean, classes = codes_of((500, 1, 3))
    spread = grids._spreads(mean, classes, 3)
    found = [factor @ factor.T for factor in spread]
    # The one row adds nothing: its class has the covariance of all.
    np.testing.assert_allclose(found[1], found[0], rtol=0.05, atol=0.05)
    assert np.isfinite(spread).all()


def test_the_loss_weighs_the_error_by_its_own_variance() -> None:
    """Ten times the scale of the cells, and of what is made, adds the logarithm of 10 and nothing else."""
    rows = grid_rows(pictures((4, 4)))
    torch.manual_seed(0)
    network = grids.Autoencoder(SMALL, rows.shape, 2)
    cells, classes = rows.cells(np.arange(8)), torch.from_numpy(rows.codes)

    def loss(cells: Tensor) -> float:
        return float(network(cells, classes, torch.Generator().manual_seed(0)).detach())

    network.decoder.is_bounded = False
    encoder = network.encoder
    fixed = encoder(cells, classes)
    network.encoder = type("Fixed", (nn.Module,), {"forward": lambda self, cells, classes: fixed})()
    before = loss(cells)
    for parameter in network.decoder.outward.parameters():
        parameter.data *= 10
    assert loss(10 * cells) - before == pytest.approx(np.log(10), abs=1e-3)


@pytest.mark.parametrize("counts", [(20, 1), (20, 2), (3, 3)])
def test_a_class_of_one_row_gets_rows_too(counts: tuple[int, int]) -> None:
    for train in (pictures(counts), series(counts)):
        sampler = grids.fit(SMALL, train, Compute(), np.random.default_rng(0))
        source = sampler.rows(1, 6, np.random.default_rng(0))
        assert len(source) == 6


def test_rows_without_weight_are_never_used() -> None:
    train = pictures((6, 6))
    weight = np.where(np.arange(12) % 2, 1.0, 0.0)
    sampler = grids.fit(SMALL, replace(train, weight=weight), Compute(), np.random.default_rng(0))
    assert len(sampler.codes.mean) == 6


def test_codes_of_another_generator_are_refused() -> None:
    train = pictures((6, 6))
    sampler = grids.fit(SMALL, train, Compute(), np.random.default_rng(0))
    arrays = sampler.arrays()
    for name in ("codes.mean", "codes.spread", "codes.counts"):
        changed = {**arrays, name: arrays[name][:1]}
        with pytest.raises(DataError, match="codes of the saved generator do not fit"):
            grids.restore(SMALL, train, sampler.state(), changed)
    with pytest.raises(DataError, match="weights of the saved generator do not fit"):
        grids.restore(SMALL.model_copy(update={"width": 4}), train, sampler.state(), arrays)
    with pytest.raises(DataError, match="does not fit data of kind 'series'"):
        grids.restore(SMALL, series((2, 2)), sampler.state(), arrays)


def test_classes_are_learned_and_the_rarer_one_as_well() -> None:
    train = pictures((60, 12))
    settings = Vae(steps=120, batch_size=16, width=8, code=4, learning_rate=4e-3)
    sampler = grids.fit(settings, train, Compute(), np.random.default_rng(0))
    real = [train.raw()[train.codes == code].mean() for code in range(2)]
    made = [sampler.rows(code, 24, np.random.default_rng(1)).array.mean() for code in range(2)]  # type: ignore[union-attr]
    assert made == pytest.approx(real, abs=30), "the classes are 150 apart"

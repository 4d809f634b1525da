"""Diffusion: the denoiser's scales, what high noise levels learn from, and the sampler, checked where the answer is
known: for Gaussian data."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rarebird.core.compute import Compute
from rarebird.methods.synthesis import _diffusion_grids as grids
from rarebird.methods.synthesis._grid_sampler import GridSampler
from rarebird.methods.synthesis._grids import GridRows, grid_rows
from rarebird.methods.synthesis._unet import UNet, folded, unfolded
from rarebird.methods.synthesis.diffusion import Diffusion
from tests.methods.synthesis.made_grids import pictures, series

DEVIATION = 0.5


class Multiple(nn.Module):
    """The network ``F(x) = factor * x``; it keeps what it is asked."""

    def __init__(self, factor: float = 0.0) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))
        self.asked: list[Tensor] = []

    def forward(self, x: Tensor, level: Tensor, codes: Tensor) -> Tensor:
        self.asked.append(x.detach())
        return self.factor * x


def gaussian_rows(n: int) -> GridRows:
    """Rows of independent normal cells of deviation `DEVIATION`."""
    rows = grid_rows(pictures((n // 2, n // 2)))
    cells = torch.randn(rows.raw.shape, generator=torch.Generator().manual_seed(0)) * DEVIATION
    shape = rows.shape.model_copy(update={"center": (0.0,), "spread": (1.0,)})
    return GridRows(shape, cells, rows.codes, rows.counts, rows.templates)


def test_the_scales_keep_inputs_and_outputs_at_a_variance_of_1() -> None:
    level = torch.tensor([0.01, 0.3, 5.0, 40.0])
    kept, out, inner = grids.scales(level, DEVIATION)
    total = level[:, None, None, None] ** 2 + DEVIATION**2
    torch.testing.assert_close(inner**2 * total, torch.ones_like(total))
    # What the network has to give, (x - kept * noisy) / out, has variance 1.
    wanted = ((1 - kept) ** 2 * DEVIATION**2 + kept**2 * level[:, None, None, None] ** 2) / out**2
    torch.testing.assert_close(wanted, torch.ones_like(total))


@pytest.mark.parametrize("noisy_copies", [0.0, 0.5, 2.0])
def test_the_loss_is_least_at_the_mean_of_the_clean_rows(noisy_copies: float) -> None:
    """For Gaussian rows that mean is ``kept * noisy``, so that the network has to give 0, with noisy copies, too."""
    rows = gaussian_rows(4_000)
    loss = grids.NoisedRows(rows, DEVIATION, noisy_copies, torch.Generator().manual_seed(1), "cpu")
    network = Multiple()
    for start in range(0, 4_000, 500):
        loss(network, np.arange(start, start + 500), 2).backward()
    # The slope of the loss over the factor; its curve is about 2, so that the least is within a hundredth of 0.
    assert abs(float(network.factor.grad) / 8) < 0.02  # type: ignore[arg-type]


def test_high_noise_levels_see_one_noisy_copy_of_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Just above the copies' own level no noise is added: the network sees the copy, which is the same each time."""
    monkeypatch.setattr(grids, "LOG_STD", 0.0)
    monkeypatch.setattr(grids, "LOG_MEAN", 1e-7)
    rows = gaussian_rows(8)
    seen = []
    for copies in (1.0, 0.0):
        loss = grids.NoisedRows(rows, DEVIATION, copies, torch.Generator().manual_seed(1), "cpu")
        network = Multiple()
        for _ in range(2):
            loss(network, np.arange(8), 2)
        seen.append(network.asked)
    copied, fresh = seen
    torch.testing.assert_close(copied[0], copied[1], atol=5e-3, rtol=0)
    assert (copied[0] - rows.raw / (2**0.5 * DEVIATION)).std() > 0.5
    assert (fresh[0] - fresh[1]).std() > 0.5


def test_noise_levels_fall_to_0() -> None:
    levels = grids.noise_levels(20)
    assert len(levels) == 21
    assert levels[0] == pytest.approx(grids.HIGHEST)
    assert (levels[1:] < levels[:-1]).all()
    assert levels[-1] == 0


def test_the_sampler_of_a_perfect_denoiser_draws_the_data() -> None:
    """A network that gives 0 is perfect for Gaussian rows; what is drawn has their deviation and mean."""
    rows = gaussian_rows(8)
    shape = rows.shape.model_copy(update={"low": (-9.0,), "high": (9.0,)})
    settings = Diffusion(guidance=1, sampling_steps=30)
    sampler = grids.DiffusionSampler(shape, 2, rows.templates, Multiple(), settings, DEVIATION)
    with torch.no_grad():
        cells = sampler.cells(torch.zeros(256, dtype=torch.int64), torch.Generator().manual_seed(0))
    assert float(cells.std()) == pytest.approx(DEVIATION, rel=0.03)
    assert float(cells.mean()) == pytest.approx(0, abs=0.02)


def test_guidance_pushes_away_from_no_class() -> None:
    class Knows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, x: Tensor, level: Tensor, codes: Tensor) -> Tensor:
            return (codes < 2).float()[:, None, None, None].expand_as(x) * 0.5

    rows = gaussian_rows(8)
    shape = rows.shape.model_copy(update={"low": (-9.0,), "high": (9.0,)})
    codes = torch.zeros(64, dtype=torch.int64)
    means = []
    for guidance in (1.0, 2.0, 3.0):
        settings = Diffusion(guidance=guidance, sampling_steps=8)
        sampler = grids.DiffusionSampler(shape, 2, rows.templates, Knows(), settings, DEVIATION)
        means.append(float(sampler.cells(codes, torch.Generator().manual_seed(0)).mean()))
    assert means[1] - means[0] == pytest.approx(means[2] - means[1], rel=0.05)
    assert means[0] < means[1]


@pytest.mark.parametrize("by", [(1, 1), (2, 2), (1, 2)])
def test_folding_has_an_inverse(by: tuple[int, int]) -> None:
    x = torch.arange(2 * 3 * 4 * 8.0).reshape(2, 3, 4, 8)
    assert folded(x, by).shape == (2, 3 * by[0] * by[1], 4 // by[0], 8 // by[1])
    torch.testing.assert_close(unfolded(folded(x, by), by), x)


@pytest.mark.parametrize("train", [pictures((2, 2), (28, 28), 3), pictures((2, 2), (64, 40)), series((2, 2), 140)])
def test_a_row_of_the_network_does_not_depend_on_others(train: object) -> None:
    rows = grid_rows(train)  # type: ignore[arg-type]
    torch.manual_seed(0)
    network = UNet(rows.shape, 2, 16, 0.1).eval()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    x, level, codes = rows.cells(np.arange(4)), torch.tensor([0.1, 0.5, 1.0, 2.0]), torch.tensor([0, 1, 2, 0])
    with torch.no_grad():
        whole = network(x, level, codes)
        assert whole.shape == x.shape
        torch.testing.assert_close(network(x[1:2], level[1:2], codes[1:2]), whole[1:2], rtol=1e-3, atol=1e-3)
        assert not torch.allclose(network(x, level, codes.flip(0)), whole, atol=1e-3), "the class changes it"
        assert not torch.allclose(network(x, level.flip(0), codes), whole, atol=1e-3), "the noise level changes it"


def test_classes_are_learned_and_the_rarer_one_as_well() -> None:
    train = pictures((60, 12))
    settings = Diffusion(steps=100, batch_size=16, width=8, learning_rate=4e-3, sampling_steps=10, dropout=0)
    sampler = grids.fit(settings, train, Compute(), np.random.default_rng(0))
    assert isinstance(sampler, GridSampler)
    real = [train.raw()[train.codes == code].mean() for code in range(2)]
    made = [sampler.rows(code, 24, np.random.default_rng(1)).array.mean() for code in range(2)]  # type: ignore[union-attr]
    assert made == pytest.approx(real, abs=30), "the classes are 150 apart"

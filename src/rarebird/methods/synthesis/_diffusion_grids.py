"""Diffusion of pictures and series: the denoiser's training, and sampling with guidance.

The preconditioned denoiser and its weights are those of Karras, Aittala, Aila and Laine, "Elucidating the Design Space
of Diffusion-Based Generative Models" (EDM, NeurIPS 2022).
"""

# Shape legend: B batch, C channels, H W sides.

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rarebird.core.checks import DataError
from rarebird.core.compute import Compute
from rarebird.data.dataset import Dataset
from rarebird.methods.synthesis import _training as training
from rarebird.methods.synthesis._grid_sampler import GridSampler, restored_parts
from rarebird.methods.synthesis._grids import GridRows, GridShape, grid_rows
from rarebird.methods.synthesis._precision import autocast
from rarebird.methods.synthesis._unet import UNet

# Noise levels, in units of the data's standard deviation: of training (mean and deviation of the logarithm), and the
# first and last of sampling, with the exponent of their spacing.
LOG_MEAN, LOG_STD = -0.5, 1.2
HIGHEST, LOWEST, EXPONENT = 80.0, 0.01, 7.0
# Guidance acts at these noise levels alone: above them it costs variety, below them it changes nothing.
GUIDED = (0.2, 6.0)
# Share of the rows of a batch whose class is hidden from the network.
HIDDEN = 0.1


@dataclass(frozen=True, eq=False)
class DiffusionSampler(GridSampler):
    """A trained denoiser.

    Attributes:
        settings: Those of the method.
        deviation: The standard deviation of the training cells.
    """

    settings: Any
    deviation: float

    def state(self) -> dict[str, Any]:
        return {**super().state(), "deviation": self.deviation}

    def cells(self, codes: Tensor, generator: torch.Generator) -> Tensor:
        """Solves the probability flow's equation by DPM-Solver++(2M) (Lu et al., 2022)."""
        device = next(self.network.parameters()).device
        levels = noise_levels(self.settings.sampling_steps) * self.deviation
        x = torch.randn((len(codes), self.shape.channels, *self.shape.sides), generator=generator).to(device)
        x, codes = x * levels[0], codes.to(device)
        before: Tensor | None = None
        bounds = [bound.to(device) for bound in self.shape.scaled_bounds]
        for place, (level, after) in enumerate(zip(levels[:-1].tolist(), levels[1:].tolist(), strict=True)):
            clean = self._denoised(x, level, codes).clamp(*bounds)
            if after == 0:
                return clean
            step = math.log(level / after)
            direction = clean
            if before is not None:
                ratio = math.log(float(levels[place - 1]) / level) / step
                direction = clean + (clean - before) / (2 * ratio)
            x = (after / level) * x - math.expm1(-step) * direction
            before = clean
        return x

    def _denoised(self, x: Tensor, level: float, codes: Tensor) -> Tensor:
        """The clean row that the network expects, pushed away from what it expects without knowing the class."""
        push = self.settings.guidance
        low, high = GUIDED
        with autocast(self.settings.precision, x.device.type):
            if push == 1 or not low <= level / self.deviation <= high:
                return denoised(self.network, x, torch.full((len(x),), level), codes, self.deviation)
            both = torch.cat([codes, torch.full_like(codes, self.n_classes)])
            twice = denoised(self.network, x.repeat(2, 1, 1, 1), torch.full((2 * len(x),), level), both, self.deviation)
        known, unknown = twice.chunk(2)
        return torch.lerp(unknown, known, push)


def fit(settings: Any, train: Dataset, compute: Compute, draw: np.random.Generator) -> DiffusionSampler:
    """Train a denoiser on the rows."""
    rows = grid_rows(train)
    with training.torch_draws(draw) as generator:
        network = training.placed(_build(settings, rows.shape, train.n_classes), compute.device)
        deviation = deviation_of(rows, draw)
        loss = NoisedRows(rows, deviation, settings.noisy_copies, generator, compute.device)
        optimizer = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, betas=(0.9, 0.99), eps=1e-6)
        batches = training.balanced_batches(rows.codes, rows.counts, settings.batch_size, draw)

        def loss_of(batch: np.ndarray) -> Tensor:
            with autocast(settings.precision, compute.device):
                value: Tensor = loss(network, batch, train.n_classes)
            return value

        kept = training.mean_of_training(network, optimizer, loss_of, batches, settings, compute)
    return DiffusionSampler(rows.shape, train.n_classes, rows.templates, kept, settings, deviation)


def restore(
    settings: Any, like: Dataset, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> DiffusionSampler:
    """The sampler that `state` and `arrays` were saved from."""
    parts = restored_parts(like, state, arrays, lambda shape, n_classes: _build(settings, shape, n_classes))
    deviation = state.get("deviation")
    if not isinstance(deviation, float) or not 0 < deviation < math.inf:
        raise DataError("The saved generator has no deviation of its cells; make it again.")
    return DiffusionSampler(**parts, settings=settings, deviation=deviation)


def _build(settings: Any, shape: GridShape, n_classes: int) -> nn.Module:
    return UNet(shape, n_classes, settings.width, settings.dropout)


def deviation_of(rows: GridRows, draw: np.random.Generator) -> float:
    """The standard deviation of the cells, from at most 1000 rows."""
    chosen = draw.permutation(len(rows.codes))[:1000]
    return max(float(rows.cells(chosen).std()), 1e-3)


def noise_levels(steps: int) -> Tensor:
    """``(steps + 1,)`` noise levels of sampling, in units of the data's standard deviation; the last one is 0."""
    at = torch.linspace(HIGHEST ** (1 / EXPONENT), LOWEST ** (1 / EXPONENT), steps, dtype=torch.float64)
    return torch.cat([at**EXPONENT, torch.zeros(1)])


def scales(level: Tensor, deviation: float) -> tuple[Tensor, Tensor, Tensor]:
    """EDM's factors of the input that is kept, of the network's output, and of its input; ``(B, 1, 1, 1)`` each."""
    level = level[:, None, None, None]
    total = level**2 + deviation**2
    return deviation**2 / total, level * deviation / total.sqrt(), total.rsqrt()


def denoised(network: nn.Module, x: Tensor, level: Tensor, codes: Tensor, deviation: float) -> Tensor:
    """The clean rows ``(B, C, H, W)`` that a network expects behind noisy ones of noise levels ``(B,)``."""
    level = level.to(x.device, torch.float32)
    kept, out, inner = scales(level, deviation)
    guess: Tensor = network(inner * x, (level / deviation).log() / 4, codes).float()
    return kept * x + out * guess


class NoisedRows:
    """The loss of a denoiser on training rows, of which high noise levels see one noisy copy alone.

    Above the noise level s_n the network learns from ``x_n = x + s_n e``, with one draw of e for each row that never
    changes, and never from x: what it could learn by heart there is noise. Since ``E[x_n | x_t] = a E[x | x_t] + (1 -
    a) x_t`` with ``a = 1 - s_n^2 / s_t^2``, it still learns the clean rows' mean (Daras et al., "Consistent Diffusion
    Meets Tweedie", ICML 2024; Shah et al., "Does Generation Require Memorization?", 2025).

    Args:
        rows: The training rows.
        deviation: The standard deviation of their cells.
        noisy_copies: s_n in units of the deviation; 0: no copies.
        generator: The randomness.
        device: Where to compute.
    """

    def __init__(
        self, rows: GridRows, deviation: float, noisy_copies: float, generator: torch.Generator, device: str
    ) -> None:
        self.rows, self.deviation, self.generator, self.device = rows, deviation, generator, device
        self.own_level = noisy_copies * deviation
        self.seeds = torch.randint(2**62, (len(rows.codes),), generator=generator).tolist()

    def __call__(self, network: nn.Module, batch: np.ndarray, n_classes: int) -> Tensor:
        """The mean loss of the rows of one batch."""
        x = self.rows.cells(batch, self.device)
        codes = torch.from_numpy(self.rows.codes[batch])
        codes = torch.where(self._uniform(len(batch)) < HIDDEN, n_classes, codes).to(self.device)
        level = (self._normal(len(batch)) * LOG_STD + LOG_MEAN).exp() * self.deviation
        share, source, added = torch.ones(len(batch)), x, level
        above = (level > self.own_level) & (self.own_level > 0)
        if above.any():
            share = torch.where(above, 1 - (self.own_level / level) ** 2, share)
            noise = torch.stack([self._own_noise(row, x.shape[1:]) for row in batch[above.numpy()]])
            source = x.clone()
            source[above.to(self.device)] += self.own_level * noise.to(self.device)
            added = torch.where(above, (level**2 - self.own_level**2).sqrt(), level)
        noisy = source + _broad(added, x) * self._normal(*x.shape).to(self.device)
        kept, out, inner = scales(level.to(self.device), self.deviation)
        guess: Tensor = network(inner * noisy, (level / self.deviation).log().to(self.device) / 4, codes).float()
        # Where the share is 1 this is EDM's unweighted loss of the network's own output.
        share = _broad(share, x)
        wanted = (source - (1 - share) * noisy - share * kept * noisy) / out
        return (share * guess - wanted).square().mean()

    def _own_noise(self, row: int, shape: torch.Size) -> Tensor:
        return torch.randn(shape, generator=torch.Generator().manual_seed(self.seeds[row]))

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.generator)

    def _uniform(self, n: int) -> Tensor:
        return torch.rand(n, generator=self.generator)


def _broad(per_row: Tensor, like: Tensor) -> Tensor:
    return per_row.to(like.device)[:, None, None, None]

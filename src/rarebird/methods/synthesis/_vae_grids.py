"""A variational autoencoder of pictures or series, and rows sampled around the codes of training rows."""

# Shape legend: N training rows, B batch, Z numbers of a code.

from __future__ import annotations

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
from rarebird.methods.synthesis._grid_coders import Decoder, Encoder
from rarebird.methods.synthesis._grid_sampler import BATCH, GridSampler, restored_parts
from rarebird.methods.synthesis._grids import GridRows, GridShape, grid_rows
from rarebird.methods.synthesis._precision import autocast

# Codes of at most this many rows of a class are kept.
MOST_CODES = 1_000
# Rows of a class that weigh as much as all classes together in the covariance of its codes.
SHRINKAGE = 20.0


@dataclass(frozen=True, eq=False)
class Codes:
    """The codes of training rows.

    Attributes:
        mean, deviation: ``(N, Z)`` of each row's code.
        classes: ``(N,)``.
        counts: ``(N,)`` how many rows each counts for.
        spread: ``(n_classes, Z, Z)`` a factor of each class's covariance of codes: ``spread @ spread.T``.
    """

    mean: np.ndarray
    deviation: np.ndarray
    classes: np.ndarray
    counts: np.ndarray
    spread: np.ndarray

    def arrays(self) -> dict[str, np.ndarray]:
        """All of them, for a file."""
        return {f"codes.{name}": value for name, value in vars(self).items()}


@dataclass(frozen=True, eq=False)
class VaeSampler(GridSampler):
    """A trained decoder, and the codes around which it is asked.

    Attributes:
        settings: Those of the method.
        codes: Of the training rows.
    """

    settings: Any
    codes: Codes

    def own_arrays(self) -> dict[str, np.ndarray]:
        return self.codes.arrays()

    def cells(self, codes: Tensor, generator: torch.Generator) -> Tensor:
        """Each row begins at a training row of its class, is moved by the class's spread of codes, and is drawn back to
        the class's mean, so that the covariance of codes stays that of the class."""
        device = next(self.network.parameters()).device
        own = np.flatnonzero(self.codes.classes == int(codes[0]))
        weight = torch.from_numpy(self.codes.counts[own])
        chosen = own[torch.multinomial(weight, len(codes), replacement=True, generator=generator).numpy()]
        size = (len(codes), self.codes.mean.shape[1])
        moved, noise = (torch.randn(size, generator=generator) for _ in range(2))
        center = torch.from_numpy(np.average(self.codes.mean[own], axis=0, weights=self.codes.counts[own])).float()
        start = torch.from_numpy(self.codes.mean[chosen]) - center
        step = moved @ torch.from_numpy(self.codes.spread[int(codes[0])]).T
        width = self.settings.spread
        code = center + (start + width * step) / (1 + width**2) ** 0.5
        code = code + noise * torch.from_numpy(self.codes.deviation[chosen])
        with autocast(self.settings.precision, device.type):
            made: Tensor = self.network(code.float().to(device), codes.to(device))
        return made


def fit(settings: Any, train: Dataset, compute: Compute, draw: np.random.Generator) -> VaeSampler:
    """Train encoder and decoder on the rows, and keep the mean of their weights."""
    rows = grid_rows(train)
    with training.torch_draws(draw) as generator:
        network = training.placed(Autoencoder(settings, rows.shape, train.n_classes), compute.device)
        optimizer = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, betas=(0.9, 0.99))
        batches = training.balanced_batches(rows.codes, rows.counts, settings.batch_size, draw)

        def loss_of(batch: np.ndarray) -> Tensor:
            classes = torch.from_numpy(rows.codes[batch]).to(compute.device)
            with autocast(settings.precision, compute.device):
                loss: Tensor = network(rows.cells(batch, compute.device), classes, generator)
            return loss

        kept: Autoencoder = training.mean_of_training(network, optimizer, loss_of, batches, settings, compute)
    codes = _codes_of(kept, rows, train.n_classes, compute.device, draw)
    return VaeSampler(rows.shape, train.n_classes, rows.templates, kept.decoder, settings, codes)


def restore(settings: Any, like: Dataset, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> VaeSampler:
    """The sampler that `state` and `arrays` were saved from."""
    parts = restored_parts(
        like, state, arrays, lambda shape, n_classes: Decoder(shape, n_classes, settings.width, settings.code)
    )
    n, z = arrays["codes.classes"].shape if "codes.classes" in arrays else (0,), settings.code
    expected = {
        "mean": (*n, z),
        "deviation": (*n, z),
        "classes": n,
        "counts": n,
        "spread": (like.n_classes, z, z),
    }
    if any(getattr(arrays.get(f"codes.{name}"), "shape", None) != size for name, size in expected.items()):
        raise DataError("The codes of the saved generator do not fit its settings; make it again.")
    return VaeSampler(**parts, settings=settings, codes=Codes(**{name: arrays[f"codes.{name}"] for name in expected}))


class Autoencoder(nn.Module):
    """Encoder and decoder; the forward pass gives the loss.

    The loss is the negative evidence lower bound with a Gaussian around the decoder's grid, of the variance that suits
    the batch best (Rybkin, Daniilidis and Levine, "Simple and Effective VAE Training with Calibrated Decoders", ICML
    2021): no weight between its two terms has to be chosen.
    """

    def __init__(self, settings: Any, shape: GridShape, n_classes: int) -> None:
        super().__init__()
        self.encoder = Encoder(shape, n_classes, settings.width, settings.code)
        self.decoder = Decoder(shape, n_classes, settings.width, settings.code)

    def forward(self, cells: Tensor, classes: Tensor, generator: torch.Generator) -> Tensor:
        mean, log_variance = self.encoder(cells, classes)
        noise = torch.randn(mean.shape, generator=generator).to(mean.device)
        made = self.decoder(mean + noise * (log_variance / 2).exp(), classes).float()
        error = (made - cells).square().mean()
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean()
        n_cells = cells[0].numel()
        bound: Tensor = 0.5 * (error + 1e-6).log() + divergence / n_cells
        return bound


@torch.no_grad()
def _codes_of(network: Autoencoder, rows: GridRows, n_classes: int, device: str, draw: np.random.Generator) -> Codes:
    """The codes of the training rows, at most `MOST_CODES` of a class."""
    used = np.flatnonzero(rows.counts > 0)
    own = [draw.permutation(used[rows.codes[used] == code])[:MOST_CODES] for code in range(n_classes)]
    chosen = np.sort(np.concatenate(own))
    parts = []
    for start in range(0, len(chosen), BATCH):
        batch = chosen[start : start + BATCH]
        classes = torch.from_numpy(rows.codes[batch]).to(device)
        parts.append(torch.stack(network.encoder(rows.cells(batch, device), classes)).cpu())
    mean, log_variance = torch.cat(parts, dim=1).numpy()
    classes, counts = rows.codes[chosen], rows.counts[chosen].astype(np.float64)
    return Codes(mean, np.exp(log_variance / 2), classes, counts, _spreads(mean, classes, n_classes))


def _spreads(mean: np.ndarray, classes: np.ndarray, n_classes: int) -> np.ndarray:
    """Factors ``(n_classes, Z, Z)`` of the classes' covariances of codes, each drawn towards that within all classes:
    the more, the fewer rows it has."""
    size = mean.shape[1]
    centered = mean.astype(np.float64).copy()
    sums = np.zeros((n_classes, size, size))
    counts = np.bincount(classes, minlength=n_classes)
    for code in range(n_classes):
        own = classes == code
        if own.any():
            centered[own] -= centered[own].mean(axis=0)
            sums[code] = centered[own].T @ centered[own]
    free = np.maximum(counts - 1, 0)
    pooled = sums.sum(axis=0) / max(int(free.sum()), 1)
    covariances = (sums + SHRINKAGE * pooled) / (free + SHRINKAGE)[:, None, None]
    ridge = 1e-6 * (1 + np.trace(pooled) / size) * np.eye(size)
    return np.linalg.cholesky(covariances + ridge).astype(np.float32)

"""A flow of a network from noise to a table's rows that knows the class.

Kotelnikov et al., "TabDDPM: Modelling Tabular Data with Diffusion Models" (ICML 2023), as a rectified flow (Liu, Gong
and Liu, "Flow Straight and Fast", ICLR 2023): the network learns the velocity ``row - noise`` at ``(1 - t) noise + t
row``. Categories are axes of real numbers, of which the largest counts (Chen, Zhang and Hinton, "Analog Bits", ICLR
2023).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rarebird.core.compute import Compute
from rarebird.data.dataset import Dataset, Frame
from rarebird.methods.synthesis import _table_rows as table
from rarebird.methods.synthesis import _training as training
from rarebird.methods.synthesis._table_codec import TableCodec

# Waves of the time; a category's axis is this far from 0 to both sides.
WAVES, AXIS = 16, 1.0
WEIGHT_DECAY = 1e-3


class Velocity(nn.Module):
    """The velocity of rows ``(B, width)`` at times ``(B,)``."""

    def __init__(self, settings: Any, codec: TableCodec, n_classes: int) -> None:
        super().__init__()
        hidden = table.UNITS * settings.width
        self.width = table.width_of(codec)
        self.of_time = nn.Linear(2 * WAVES, hidden)
        self.body = table.Perceptron(self.width, n_classes, hidden, self.width, settings.dropout)

    def forward(self, cells: Tensor, time: Tensor, classes: Tensor) -> Tensor:
        angles = time[:, None] * (2 ** torch.linspace(0, 6, WAVES, device=time.device))
        waves = torch.cat([angles.sin(), angles.cos()], dim=1)
        velocity: Tensor = self.body(cells, classes, self.of_time(waves))
        return velocity


@dataclass(frozen=True, eq=False)
class DiffusionRows:
    """A trained velocity, and the steps that new rows take."""

    codec: TableCodec
    network: Any
    sampling_steps: int

    @torch.no_grad()
    def rows(self, code: int, n: int, draw: np.random.Generator) -> Frame:
        """Raw rows of a class, by Heun's steps."""
        generator = torch.Generator().manual_seed(int(draw.integers(2**63 - 1)))
        device = next(self.network.parameters()).device
        at = torch.randn((n, self.network.width), generator=generator).to(device)
        classes, length = torch.full((n,), code, device=device), 1 / self.sampling_steps
        for step in range(self.sampling_steps):
            now, then = (torch.full((n,), (step + part) * length, device=device) for part in (0, 1))
            first = self.network(at, now, classes)
            second = self.network(at + length * first, then, classes)
            at = at + length * (first + second) / 2
        cells = at.cpu().double().numpy()
        largest = [cells[:, block] == cells[:, block].max(axis=1, keepdims=True) for block in table.blocks(self.codec)]
        shares = [one.astype(float) for one in largest]
        return table.raw(self.codec, cells[:, : len(self.codec.numbers)], shares, draw)

    def state(self) -> dict[str, Any]:
        """The columns, and the steps of a new row."""
        return {"codec": self.codec.state(), "sampling_steps": self.sampling_steps}

    def arrays(self) -> dict[str, np.ndarray]:
        """Columns and weights."""
        return table.network_arrays(self.codec, self.network)


def fit(settings: Any, train: Dataset, compute: Compute, draw: np.random.Generator) -> DiffusionRows:
    """Train the velocity, and keep the mean of its weights."""
    rows = table.TableRows.of(train, draw)
    n_numbers = len(rows.codec.numbers)
    cells = torch.cat([rows.cells[:, :n_numbers], AXIS * (2 * rows.cells[:, n_numbers:] - 1)], dim=1)
    # A missing number teaches nothing: its column of categories says that it is missing.
    counts = torch.cat([rows.known, torch.ones(len(cells), cells.shape[1] - n_numbers)], dim=1)
    with training.torch_draws(draw) as generator:
        network = Velocity(settings, rows.codec, train.n_classes).to(compute.device)
        optimizer = torch.optim.AdamW(
            network.parameters(), lr=settings.learning_rate, weight_decay=WEIGHT_DECAY, foreach=True
        )
        batches = training.balanced_batches(rows.classes, rows.counts, settings.batch_size, draw)

        def loss_of(batch: np.ndarray) -> Tensor:
            row, noise = cells[batch], torch.randn((len(batch), cells.shape[1]), generator=generator)
            # Times in the middle are the hardest: the logistic of a normal number (Esser et al., ICML 2024).
            time = torch.randn(len(batch), generator=generator).sigmoid()
            at = time[:, None] * row + (1 - time[:, None]) * noise
            classes = torch.from_numpy(rows.classes[batch]).to(compute.device)
            made = network(at.to(compute.device), time.to(compute.device), classes)
            apart = (made - (row - noise).to(compute.device)).square() * counts[batch].to(compute.device)
            loss: Tensor = apart.sum(dim=1).mean() / cells.shape[1]
            return loss

        kept = training.mean_of_training(network, optimizer, loss_of, batches, settings, compute)
    return DiffusionRows(rows.codec, kept, settings.sampling_steps)


def restore(settings: Any, like: Dataset, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> DiffusionRows:
    """The velocity from JSON and arrays."""
    codec = table.restored_codec(like, state, arrays)
    network = table.with_weights(Velocity(settings, codec, like.n_classes), arrays)
    return DiffusionRows(codec, network, int(state["sampling_steps"]))

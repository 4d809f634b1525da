"""A variational autoencoder of a table's rows that knows the class; new rows are decoded from codes of its prior.

Xu et al., "Modeling Tabular data using Conditional GAN" (NeurIPS 2019), section 4.5 (TVAE): each number has a spread of
its own around what is decoded, each category column its shares.
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

# Bounds of the logarithm of a number's spread: smaller ones would know rows by heart.
SPREADS = (-4.0, 0.5)
WEIGHT_DECAY = 1e-3


class Autoencoder(nn.Module):
    """Encoder and decoder; `forward` gives the loss of a batch."""

    def __init__(self, settings: Any, codec: TableCodec, n_classes: int) -> None:
        super().__init__()
        width, hidden = table.width_of(codec), table.UNITS * settings.width
        self.n_numbers, self.blocks, self.code = len(codec.numbers), table.blocks(codec), settings.code
        self.encoder = table.Perceptron(width, n_classes, hidden, 2 * settings.code)
        self.decoder = table.Perceptron(settings.code, n_classes, hidden, width)
        self.log_spread = nn.Parameter(torch.zeros(max(self.n_numbers, 1)))

    def forward(self, cells: Tensor, known: Tensor, classes: Tensor, generator: torch.Generator) -> Tensor:
        mean, log_variance = self.encoder(cells, classes).chunk(2, dim=1)
        log_variance = log_variance.clamp(-8, 8)
        noise = torch.randn(mean.shape, generator=generator).to(mean.device)
        made = self.decoder(mean + noise * (log_variance / 2).exp(), classes)
        n = self.n_numbers
        spread = self.log_spread.clamp(*SPREADS)[:n]
        apart = 0.5 * ((made[:, :n] - cells[:, :n]) / spread.exp()).square() + spread
        loss = (apart * known).sum(dim=1)
        for block in self.blocks:
            loss = loss - (made[:, block].log_softmax(dim=1) * cells[:, block]).sum(dim=1)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1)
        mean_loss: Tensor = (loss + divergence).mean()
        return mean_loss


@dataclass(frozen=True, eq=False)
class VaeRows:
    """A trained decoder of a table's rows."""

    codec: TableCodec
    network: Any

    @torch.no_grad()
    def rows(self, code: int, n: int, draw: np.random.Generator) -> Frame:
        """Raw rows of a class."""
        generator = torch.Generator().manual_seed(int(draw.integers(2**63 - 1)))
        device = self.network.log_spread.device
        codes = torch.randn((n, self.network.code), generator=generator).to(device)
        made = self.network.decoder(codes, torch.full((n,), code, device=device)).cpu()
        n_numbers = self.network.n_numbers
        spread = self.network.log_spread.clamp(*SPREADS)[:n_numbers].exp().cpu()
        scores = made[:, :n_numbers] + spread * torch.randn((n, n_numbers), generator=generator)
        shares = [made[:, block].softmax(dim=1).double().numpy() for block in self.network.blocks]
        return table.raw(self.codec, scores.double().numpy(), shares, draw)

    def state(self) -> dict[str, Any]:
        """The columns."""
        return {"codec": self.codec.state()}

    def arrays(self) -> dict[str, np.ndarray]:
        """Columns and weights."""
        return table.network_arrays(self.codec, self.network)


def fit(settings: Any, train: Dataset, compute: Compute, draw: np.random.Generator) -> VaeRows:
    """Train encoder and decoder, and keep the mean of their weights."""
    rows = table.TableRows.of(train, draw)
    with training.torch_draws(draw) as generator:
        network = Autoencoder(settings, rows.codec, train.n_classes).to(compute.device)
        optimizer = torch.optim.AdamW(
            network.parameters(), lr=settings.learning_rate, weight_decay=WEIGHT_DECAY, foreach=True
        )
        batches = training.balanced_batches(rows.classes, rows.counts, settings.batch_size, draw)

        def loss_of(batch: np.ndarray) -> Tensor:
            cells, known = (part[batch].to(compute.device) for part in (rows.cells, rows.known))
            classes = torch.from_numpy(rows.classes[batch]).to(compute.device)
            loss: Tensor = network(cells, known, classes, generator)
            return loss

        kept = training.mean_of_training(network, optimizer, loss_of, batches, settings, compute, most_norm=5.0)
    return VaeRows(rows.codec, kept)


def restore(settings: Any, like: Dataset, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> VaeRows:
    """The decoder from JSON and arrays."""
    codec = table.restored_codec(like, state, arrays)
    return VaeRows(codec, table.with_weights(Autoencoder(settings, codec, like.n_classes), arrays))

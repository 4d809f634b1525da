"""A generator of a table's rows that learns to deceive a critic, and knows the class.

Xu et al., "Modeling Tabular data using Conditional GAN" (NeurIPS 2019) with the loss of Gulrajani et al., "Improved
Training of Wasserstein GANs" (NeurIPS 2017): a critic with a penalty on its gradient sees rows with soft categories
(Jang, Gu and Poole, "Categorical Reparameterization with Gumbel-Softmax", ICLR 2017). Training by sampling is here that
each class comes equally often.

NOTE[DIFF]: numbers are normal scores (`_table_codec`), whose distribution is simple, in place of modes of a mixture and
a place within each; the critic judges single rows, not packs.
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

# Steps of the critic for each one of the generator, weight of its penalty, and temperature of soft categories.
CRITIC_STEPS, PENALTY, TEMPERATURE = 2, 10.0, 0.3
BETAS = (0.5, 0.9)


class Maker(nn.Module):
    """Random numbers ``(B, code)`` and classes -> scores and logits of categories ``(B, width)``."""

    def __init__(self, settings: Any, codec: TableCodec, n_classes: int) -> None:
        super().__init__()
        self.code, self.n_numbers, self.blocks = settings.code, len(codec.numbers), table.blocks(codec)
        self.body = table.Perceptron(self.code, n_classes, table.UNITS * settings.width, table.width_of(codec))

    def forward(self, noise: Tensor, classes: Tensor) -> Tensor:
        made: Tensor = self.body(noise, classes)
        return made

    def soft(self, made: Tensor, generator: torch.Generator) -> Tensor:
        """Rows as the critic sees them: scores, and soft categories with noise."""
        parts = [made[:, : self.n_numbers]]
        for block in self.blocks:
            noise = -torch.empty(made[:, block].shape).exponential_(generator=generator).log().to(made.device)
            parts.append(((made[:, block] + noise) / TEMPERATURE).softmax(dim=1))
        return torch.cat(parts, dim=1)


@dataclass(frozen=True, eq=False)
class GanRows:
    """A trained generator of a table's rows."""

    codec: TableCodec
    network: Any

    @torch.no_grad()
    def rows(self, code: int, n: int, draw: np.random.Generator) -> Frame:
        """Raw rows of a class."""
        generator = torch.Generator().manual_seed(int(draw.integers(2**63 - 1)))
        device = next(self.network.parameters()).device
        noise = torch.randn((n, self.network.code), generator=generator).to(device)
        made = self.network(noise, torch.full((n,), code, device=device)).cpu().double()
        shares = [made[:, block].softmax(dim=1).numpy() for block in self.network.blocks]
        return table.raw(self.codec, made[:, : self.network.n_numbers].numpy(), shares, draw)

    def state(self) -> dict[str, Any]:
        """The columns."""
        return {"codec": self.codec.state()}

    def arrays(self) -> dict[str, np.ndarray]:
        """Columns and weights."""
        return table.network_arrays(self.codec, self.network)


def fit(settings: Any, train: Dataset, compute: Compute, draw: np.random.Generator) -> GanRows:
    """Train generator and critic, and keep the mean of the generator's weights."""
    rows = table.TableRows.of(train, draw)
    with training.torch_draws(draw) as generator:
        maker = Maker(settings, rows.codec, train.n_classes).to(compute.device)
        width = table.width_of(rows.codec)
        critic = table.Perceptron(width, train.n_classes, table.UNITS * settings.width, 1).to(compute.device)
        rates = (settings.learning_rate, 2 * settings.learning_rate)
        optimizers = [
            torch.optim.Adam(network.parameters(), lr=rate, betas=BETAS, foreach=True)
            for network, rate in zip((maker, critic), rates, strict=True)
        ]
        mean = training.MeanWeights(maker)
        batches = training.balanced_batches(rows.classes, rows.counts, settings.batch_size, draw)

        def made(classes: Tensor) -> Tensor:
            noise = torch.randn((len(classes), settings.code), generator=generator).to(compute.device)
            return maker.soft(maker(noise, classes), generator)

        def step(progress: float) -> Tensor:
            for optimizer, rate in zip(optimizers, rates, strict=True):
                training.set_rate(optimizer, rate, progress)
            for _ in range(CRITIC_STEPS):
                batch = torch.from_numpy(next(batches))
                classes = torch.from_numpy(rows.classes)[batch].to(compute.device)
                real, false = rows.cells[batch].to(compute.device), made(classes).detach()
                optimizers[1].zero_grad(set_to_none=True)
                loss = critic(false, classes).mean() - critic(real, classes).mean()
                (loss + PENALTY * _penalty(critic, real, false, classes, generator)).backward()
                optimizers[1].step()
            optimizers[0].zero_grad(set_to_none=True)
            deceived: Tensor = -critic(made(classes), classes).mean()
            deceived.backward()  # type: ignore[no-untyped-call]
            optimizers[0].step()
            mean.add(maker)
            return deceived.detach()

        training.steps_of(step, settings.steps, compute, settings.name)
    return GanRows(rows.codec, mean.network)


def _penalty(critic: nn.Module, real: Tensor, false: Tensor, classes: Tensor, generator: torch.Generator) -> Tensor:
    """How far the length of the critic's gradient is from 1, between real and made rows."""
    share = torch.rand((len(real), 1), generator=generator).to(real.device)
    between = (share * real + (1 - share) * false).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(between, classes).sum(), between, create_graph=True)
    penalty: Tensor = (gradient.norm(dim=1) - 1).square().mean()
    return penalty


def restore(settings: Any, like: Dataset, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> GanRows:
    """The generator from JSON and arrays."""
    codec = table.restored_codec(like, state, arrays)
    return GanRows(codec, table.with_weights(Maker(settings, codec, like.n_classes), arrays))

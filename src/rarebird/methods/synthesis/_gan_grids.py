"""Adversarial training of a generator of pictures or series."""

# Shape legend: B batch, C channels, H W sides.

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from rarebird.core.compute import Compute
from rarebird.data.dataset import Dataset
from rarebird.data.spec import InputSpec
from rarebird.methods.synthesis import _training as training
from rarebird.methods.synthesis._grid_coders import Critic, Decoder
from rarebird.methods.synthesis._grid_sampler import GridSampler, restored_parts
from rarebird.methods.synthesis._grids import GridShape, grid_rows
from rarebird.methods.synthesis._precision import autocast
from rarebird.slots import methods
from rarebird.slots.protocols import TrainStatistics

if TYPE_CHECKING:
    from rarebird.slots.protocols import Augmentation

# What the critic sees of real and made rows: methods of the slot `augmentation` through which gradients flow.
AUGMENTATIONS: dict[str, tuple[dict[str, Any], ...]] = {
    "image": (
        {"name": "translate", "fraction": 0.125},
        {"name": "contrast", "strength": 0.3},
        {"name": "brightness", "strength": 0.5},
        {"name": "erase", "max_area": 0.25, "ratio": 1.0, "p": 0.5},
    ),
    "series": (
        {"name": "time_shift", "fraction": 0.1},
        {"name": "magnitude_scale", "strength": 0.1},
        {"name": "jitter", "strength": 0.1},
    ),
}
# The critic learns at this multiple of the generator's rate.
CRITIC_RATE = 2.0


@dataclass(frozen=True, eq=False)
class GanSampler(GridSampler):
    """A trained generator.

    Attributes:
        settings: Those of the method.
    """

    settings: Any

    def cells(self, codes: Tensor, generator: torch.Generator) -> Tensor:
        device = next(self.network.parameters()).device
        noise = torch.randn((len(codes), self.settings.code), generator=generator)
        with autocast(self.settings.precision, device.type):
            made: Tensor = self.network(noise.to(device), codes.to(device))
        return made


def fit(settings: Any, train: Dataset, compute: Compute, draw: np.random.Generator) -> GanSampler:
    """Train a generator and its critic on the rows, and keep the mean of the generator's weights."""
    rows = grid_rows(train)
    with training.torch_draws(draw) as generator:
        decoder = training.placed(_build(settings, rows.shape, train.n_classes), compute.device)
        critic = training.placed(Critic(rows.shape, train.n_classes, settings.width), compute.device)
        contest = Contest(settings, decoder, critic, seen_by_critic(rows.shape, compute.device), generator)
        mean = training.MeanWeights(decoder)
        batches = training.balanced_batches(rows.codes, rows.counts, settings.batch_size, draw)

        def step(progress: float) -> Tensor:
            batch = next(batches)
            real = rows.cells(batch, compute.device)
            classes = torch.from_numpy(rows.codes[batch]).to(compute.device)
            value = contest.step(real, classes, progress)
            mean.add(decoder)
            return value

        training.steps_of(step, settings.steps, compute, "gan")
    return GanSampler(rows.shape, train.n_classes, rows.templates, mean.network, settings)


def restore(settings: Any, like: Dataset, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> GanSampler:
    """The sampler that `state` and `arrays` were saved from."""
    parts = restored_parts(like, state, arrays, lambda shape, n_classes: _build(settings, shape, n_classes))
    return GanSampler(**parts, settings=settings)


def _build(settings: Any, shape: GridShape, n_classes: int) -> nn.Module:
    return Decoder(shape, n_classes, settings.width, settings.code)


class Contest:
    """The two networks and their optimizers.

    Args:
        settings: Of the method.
        decoder: The generator.
        critic: Tells real rows from made ones.
        seen: Rows and generator -> the rows as the critic sees them.
        generator: The randomness.
    """

    def __init__(
        self,
        settings: Any,
        decoder: nn.Module,
        critic: nn.Module,
        seen: Callable[[Tensor, torch.Generator], Tensor],
        generator: torch.Generator,
    ) -> None:
        self.settings, self.decoder, self.critic, self.seen = settings, decoder, critic, seen
        self.generator = generator
        betas = (0.0, 0.99)
        self.of_decoder = torch.optim.Adam(decoder.parameters(), lr=settings.learning_rate, betas=betas)
        self.of_critic = torch.optim.Adam(critic.parameters(), lr=settings.learning_rate, betas=betas)

    def step(self, real: Tensor, classes: Tensor, progress: float) -> Tensor:
        """One step of the critic and one of the generator; the sum of their losses."""
        rate, precision, device = self.settings.learning_rate, self.settings.precision, real.device.type
        training.set_rate(self.of_decoder, rate, progress)
        training.set_rate(self.of_critic, CRITIC_RATE * rate, progress)
        noise = torch.randn((len(real), self.settings.code), generator=self.generator).to(real.device)
        with autocast(precision, device):
            made = self.decoder(noise, classes).float()
            both = torch.cat([self.seen(real, self.generator), self.seen(made.detach(), self.generator)])
            scores = self.critic(both, classes.repeat(2))
            critic_loss = hinge_loss(*scores.chunk(2))
        self.of_critic.zero_grad(set_to_none=True)
        critic_loss.backward()  # type: ignore[no-untyped-call]
        self.of_critic.step()
        self.critic.requires_grad_(False)
        with autocast(precision, device):
            decoder_loss = -self.critic(self.seen(made, self.generator), classes).mean()
        self.of_decoder.zero_grad(set_to_none=True)
        decoder_loss.backward()
        self.of_decoder.step()
        self.critic.requires_grad_(True)
        total: Tensor = (critic_loss + decoder_loss).detach()
        return total


def hinge_loss(real: Tensor, made: Tensor) -> Tensor:
    """The critic's loss of scores ``(B,)`` each (Lim and Ye, "Geometric GAN", 2017)."""
    return functional.relu(1 - real).mean() + functional.relu(1 + made).mean()


def seen_by_critic(shape: GridShape, device: str) -> Callable[[Tensor, torch.Generator], Tensor]:
    """A function of scaled cells ``(B, C, H, W)`` that changes them as the augmentations of their kind do, so that
    gradients flow through it."""
    height, width = shape.sides
    is_image = shape.kind == "image"
    # Cells of pictures are -1..1, those of series have mean 0 and deviation 1; augmentations count in deviations.
    spec = InputSpec(
        kind=shape.kind,
        task="classification",
        n_outputs=2,
        channels=shape.channels,
        height=height,
        width=width,
        length=width,
        mean=(0.5 if is_image else 0.0,) * shape.channels,
        std=(0.25 if is_image else 1.0,) * shape.channels,
    )
    bound = [
        cast("Augmentation", methods.build("augmentation", dict(settings))).bind(TrainStatistics(spec))
        for settings in AUGMENTATIONS[shape.kind]
    ]

    def seen(cells: Tensor, generator: torch.Generator) -> Tensor:
        none = cells.new_empty(len(cells))
        if is_image:
            x = {"pixels": (cells + 1) / 2}
        else:
            x = {"values": cells[:, :, 0], "lengths": torch.full((len(cells),), width, device=device)}
        for step in bound:
            x = step(x, none, none, generator)[0]
        return x["pixels"] * 2 - 1 if is_image else x["values"][:, :, None]

    return seen

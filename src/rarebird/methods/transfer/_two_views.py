"""Two views of a row: their features shall agree, and those of different rows differ."""

# Shape legend: B batch, P width of the projection.

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from rarebird.slots.protocols import Inputs

WIDTH = 512
# The papers' weights of invariance, variance and covariance, and their smallest deviation of a feature.
INVARIANCE, VARIANCE, COVARIANCE, DEVIATION = 25.0, 25.0, 1.0, 1.0
TEMPERATURE = 0.2


class TwoViews(nn.Module):
    """The loss of two augmented views of a batch, after a projection of the features.

    Args:
        network: Its `features` learn.
        width: Of its features.
        objective: ``vicreg`` or ``simclr``.
    """

    def __init__(self, network: nn.Module, width: int, objective: str) -> None:
        super().__init__()
        self.network: Any = network
        self.loss = vicreg if objective == "vicreg" else simclr
        self.project = nn.Sequential(
            nn.Linear(width, WIDTH),
            nn.BatchNorm1d(WIDTH),
            nn.ReLU(),
            nn.Linear(WIDTH, WIDTH),
            nn.BatchNorm1d(WIDTH),
            nn.ReLU(),
            nn.Linear(WIDTH, WIDTH),
        )

    def forward(self, x: Inputs, view: Callable[[Inputs], Inputs], generator: torch.Generator) -> Tensor:
        one, two = view(x), view(x)
        # Both at once, so that batch normalization sees the same statistics for both.
        both = {name: torch.cat([one[name], two[name]]) for name in one}
        projected = self.project(self.network.features(both).flatten(1)).float()
        loss: Tensor = self.loss(*projected.chunk(2))
        return loss


def vicreg(one: Tensor, two: Tensor) -> Tensor:
    """The VICReg loss of projections ``(B, P)`` of two views of the same rows, ``()``."""
    invariance = functional.mse_loss(one, two)
    variance, covariance = one.new_zeros(()), one.new_zeros(())
    for z in (one, two):
        centered = z - z.mean(dim=0)
        deviation = (centered.square().sum(dim=0) / (len(z) - 1) + 1e-4).sqrt()
        variance = variance + functional.relu(DEVIATION - deviation).mean() / 2
        products = centered.T @ centered / (len(z) - 1)
        off_diagonal = products.square().sum() - products.diagonal().square().sum()
        covariance = covariance + off_diagonal / z.shape[1]
    return INVARIANCE * invariance + VARIANCE * variance + COVARIANCE * covariance


def simclr(one: Tensor, two: Tensor) -> Tensor:
    """The normalized, temperature-scaled cross entropy of projections ``(B, P)`` of two views of the same rows, ``()``:
    each view shall find the other view of its row among all others."""
    both = functional.normalize(torch.cat([one, two]), dim=1)
    similar = both @ both.T / TEMPERATURE
    similar.fill_diagonal_(-torch.inf)
    other = torch.arange(len(both), device=both.device).roll(len(one))
    return functional.cross_entropy(similar, other)

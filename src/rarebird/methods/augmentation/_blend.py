"""Blends of rows in pairs: each row of a batch with a partner, inputs, targets and weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rarebird.methods.augmentation import _rows

if TYPE_CHECKING:
    from rarebird.slots.protocols import Inputs

TargetShare = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Each row's share in its blend ``(batch,)``, targets ``(batch, n_outputs)`` and partners ``(batch,)`` -> the share of
its own target ``(batch,)``."""


@dataclass(frozen=True)
class Blend:
    """A bound augmentation that blends each row with another row of the batch.

    Attributes:
        alpha: Parameter of Beta(alpha, alpha), from which each row's share is drawn; above 0.
        p: Share of the rows that are blended.
        target_share: The share of its own target, with its own weight, that a row keeps.
    """

    alpha: float
    p: float
    target_share: TargetShare

    def __call__(
        self, x: Inputs, y: Tensor, weight: Tensor, generator: torch.Generator
    ) -> tuple[Inputs, Tensor, Tensor]:
        batch = len(y)
        partner = _rows.permutation(batch, generator)
        share = _rows.beta(self.alpha, batch, generator)
        if self.p < 1:
            share = torch.where(_rows.bernoulli(self.p, batch, generator), share, 1)
        target = self.target_share(share, y, partner)
        return (
            blended(x, {name: part[partner] for name, part in x.items()}, share, generator),
            *mixed_targets(y, weight, partner, target),
        )


def mixed_targets(y: Tensor, weight: Tensor, partner: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Targets and weights of blended rows, whose loss is ``share w_i loss(y_i) + (1 - share) w_j loss(y_j)``: each half
    carries its own weight.

    Two means, of targets and of weights, would also weigh either target by the other row's weight, and so bend the
    prior towards equal classes.

    Args:
        y: ``(batch, n_outputs)`` targets.
        weight: ``(batch,)`` sample weights.
        partner: ``(batch,)`` the position of each row's partner.
        share: ``(batch,)`` share of the row itself.
    """
    mixed = _rows.mixture(weight, weight[partner], share)
    # Of two rows of weight 0, which add no loss, the shares stay as they are.
    own = torch.where(mixed > 0, share * weight / torch.where(mixed > 0, mixed, 1), share)
    own = torch.where(weight == weight[partner], share, own)
    return _rows.mixture(y, y[partner], own), mixed


def blended(first: Inputs, second: Inputs, share: Tensor, generator: torch.Generator) -> Inputs:
    """The blend of `share` ``(batch,)`` of `first` and the rest of `second`, for any kind of data."""
    if "pixels" in first:
        return {**first, "pixels": _rows.mixture(first["pixels"], second["pixels"], share)}
    if "values" in first:
        lengths = torch.maximum(first["lengths"], second["lengths"])
        # A row of which all or nothing is kept has the length of itself or of its partner.
        lengths = torch.where(share == 1, first["lengths"], torch.where(share == 0, second["lengths"], lengths))
        return {**first, "values": _rows.mixture(first["values"], second["values"], share), "lengths": lengths}
    return _blended_cells(first, second, share, generator)


def _blended_cells(first: Inputs, second: Inputs, share: Tensor, generator: torch.Generator) -> Inputs:
    own = {name: _chosen(first[name], share, generator) for name in ("numbers", "categories")}
    either_missing = (first["missing"] > 0) | (second["missing"] > 0)
    picked = torch.where(own["numbers"], first["numbers"], second["numbers"])
    return {
        **first,
        "numbers": torch.where(either_missing, picked, _rows.mixture(first["numbers"], second["numbers"], share)),
        "missing": torch.where(own["numbers"], first["missing"], second["missing"]) * either_missing,
        "categories": torch.where(own["categories"], first["categories"], second["categories"]),
    }


def _chosen(cells: Tensor, share: Tensor, generator: torch.Generator) -> Tensor:
    """``(batch, columns)`` bool: each cell stays with probability `share` ``(batch,)``."""
    return torch.rand(cells.shape, generator=generator, device=generator.device) < share[:, None]

"""Masked cells of a table: some are exchanged with those of other rows; which ones and what they were is predicted."""

# Shape legend: B batch, N numerical columns, C categorical columns, D width of the features.

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from rarebird.data.spec import InputSpec
    from rarebird.slots.protocols import Inputs

WIDTH = 256


class MaskedCells(nn.Module):
    """The loss of a batch of which some cells are exchanged: the cross entropy of which ones, and of those the error of
    numbers and the cross entropy of categories. Each is a mean over cells.

    Args:
        network: Its `features` learn.
        width: Of its features.
        spec: Columns of the table.
        rate: Probability of each cell to be exchanged.
    """

    def __init__(self, network: nn.Module, width: int, spec: InputSpec, rate: float) -> None:
        super().__init__()
        self.network: Any = network
        self.rate, self.sizes = rate, list(spec.cardinalities)
        n, c = spec.n_numbers, len(spec.cardinalities)
        self.hidden = nn.Sequential(nn.Linear(width, WIDTH), nn.ReLU())
        self.which = nn.Linear(WIDTH, n + c)
        # A layer without outputs cannot be drawn.
        self.numbers = nn.Linear(WIDTH, max(n, 1))
        self.categories = nn.Linear(WIDTH, max(sum(self.sizes), 1))

    def forward(self, x: Inputs, view: Callable[[Inputs], Inputs], generator: torch.Generator) -> Tensor:
        changed, number, category = exchanged(x, self.rate, generator)
        hidden = self.hidden(self.network.features(changed).flatten(1))
        mask = torch.cat([number, category], dim=1).to(hidden.dtype)
        losses = [functional.binary_cross_entropy_with_logits(self.which(hidden), mask)]
        known = number & (x["missing"] == 0)
        if bool(known.any()):
            # Heavy tails of a column would rule a squared error.
            losses.append(functional.smooth_l1_loss(self.numbers(hidden)[known], x["numbers"][known]))
        if bool(category.any()):
            logits = self.categories(hidden).split(self.sizes, dim=1)
            each = [
                functional.cross_entropy(part, x["categories"][:, place], reduction="none")
                for place, part in enumerate(logits)
            ]
            losses.append(torch.stack(each, dim=1)[category].mean())
        return torch.stack(losses).sum()


def exchanged(x: Inputs, rate: float, generator: torch.Generator) -> tuple[Inputs, Tensor, Tensor]:
    """A batch of which cells are exchanged with those of random other rows, the same for each column's own values.

    Returns:
        The batch, and which numbers ``(B, N)`` and categories ``(B, C)`` were exchanged; a cell that got the value that
        it had counts as not exchanged.
    """
    device = generator.device

    def order(shape: torch.Size) -> Tensor:
        return torch.rand(shape, generator=generator, device=device).argsort(dim=0)

    def mask(shape: torch.Size) -> Tensor:
        return torch.rand(shape, generator=generator, device=device) < rate

    numbers, missing, categories = x["numbers"], x["missing"], x["categories"]
    of_numbers, of_categories = order(numbers.shape), order(categories.shape)
    number, category = mask(numbers.shape), mask(categories.shape)
    changed = {
        **x,
        "numbers": torch.where(number, numbers.gather(0, of_numbers), numbers),
        "missing": torch.where(number, missing.gather(0, of_numbers), missing),
        "categories": torch.where(category, categories.gather(0, of_categories), categories),
    }
    number = (changed["numbers"] != numbers) | (changed["missing"] != missing)
    return changed, number, changed["categories"] != categories

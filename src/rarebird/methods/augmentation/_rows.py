"""What augmentations share: random draws per row, and classes that make a bound augmentation of a plain function."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from rarebird.data.spec import InputSpec
    from rarebird.slots.protocols import Inputs


def uniform(low: float, high: float, batch: int, generator: torch.Generator) -> Tensor:
    """``(batch,)`` uniform draws from `low` to `high`, on the generator's device."""
    return torch.rand(batch, generator=generator, device=generator.device).mul_(high - low).add_(low)


def symmetric(most: float, batch: int, generator: torch.Generator) -> Tensor:
    """``(batch,)`` uniform draws from ``-most`` to ``most``."""
    return uniform(-most, most, batch, generator)


def bernoulli(p: float, batch: int, generator: torch.Generator) -> Tensor:
    """``(batch,)`` bool, True with probability `p`: the rows that an augmentation changes."""
    return torch.rand(batch, generator=generator, device=generator.device) < p


def beta(alpha: float, batch: int, generator: torch.Generator) -> Tensor:
    """``(batch,)`` draws from Beta(alpha, alpha), alpha > 0."""
    # torch.distributions.Beta samples a two-part Dirichlet as well, but takes no generator, so that its draws would not
    # repeat with the recipe's seed.
    return torch._sample_dirichlet(torch.full((batch, 2), alpha, device=generator.device), generator)[:, 0]


def permutation(batch: int, generator: torch.Generator) -> Tensor:
    """``(batch,)`` int64, each row's partner."""
    return torch.randperm(batch, generator=generator, device=generator.device)


def normal(like: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal draws, one for each element of `like`, in its dtype."""
    return torch.randn(like.shape, generator=generator, device=generator.device, dtype=torch.float32).to(like.dtype)


def broadcastable(per_row: Tensor, like: Tensor) -> Tensor:
    """`per_row` ``(batch,)`` with as many axes as `like`, so that each row gets its own number; a mask stays bool, and
    any other is cast to the dtype of `like`."""
    per_row = per_row.reshape(-1, *[1] * (like.ndim - 1))
    return per_row if per_row.dtype == torch.bool else per_row.to(like.dtype)


def mixture(first: Tensor, second: Tensor, share: Tensor) -> Tensor:
    """``share * first + (1 - share) * second`` with a `share` per row ``(batch,)``; exactly `first` where the share is
    1."""
    return torch.lerp(first, second, broadcastable(1 - share, first))


def pixel_std(spec: InputSpec) -> float:
    """Standard deviation of the training pixels in units of 0..1, root mean square over channels; 1 if the spec has
    none."""
    return math.sqrt(sum(std**2 for std in spec.std) / len(spec.std)) if spec.std else 1.0


def unchanged(x: Inputs, y: Tensor, weight: Tensor, generator: torch.Generator) -> tuple[Inputs, Tensor, Tensor]:
    """The augmentation of strength 0; a pipeline leaves it out."""
    return x, y, weight


class RowWise:
    """An augmentation that changes each row by itself, and neither `y` nor `weight`, so that a batch can be split into
    parts."""

    def __call__(
        self, x: Inputs, y: Tensor, weight: Tensor, generator: torch.Generator
    ) -> tuple[Inputs, Tensor, Tensor]:
        """The augmented batch."""
        raise NotImplementedError


Apply = Callable[[Tensor, slice], Tensor]
"""Pictures of a part of a batch as floats, and that part as a slice -> the changed pictures in a new tensor."""


class Planned(RowWise):
    """A picture augmentation that draws for the whole batch first, so that small parts of the batch can go through all
    steps while they are in the processor's cache."""

    def plan(self, pixels: Tensor, generator: torch.Generator) -> Apply:
        """Draw for the batch, and give the function that changes a part of it.

        Only the shape and device of `pixels` are used; they may still be bytes.
        """
        raise NotImplementedError

    def __call__(
        self, x: Inputs, y: Tensor, weight: Tensor, generator: torch.Generator
    ) -> tuple[Inputs, Tensor, Tensor]:
        pixels = x["pixels"]
        return {**x, "pixels": self.plan(pixels, generator)(pixels, slice(None))}, y, weight


@dataclass(frozen=True)
class Photometric(Planned):
    """Changes pictures by a function of them and of tensors drawn for each.

    Attributes:
        p: Share of the rows that change; the others keep exactly their values.
        draw: Pictures and generator -> tensors whose first axis is the batch.
        function: Pictures as floats and their part of those tensors -> a new tensor of the same shape and dtype.
    """

    p: float
    draw: Callable[[Tensor, torch.Generator], tuple[Tensor, ...]]
    function: Callable[..., Tensor]

    def plan(self, pixels: Tensor, generator: torch.Generator) -> Apply:
        drawn = self.draw(pixels, generator)
        chosen = bernoulli(self.p, len(pixels), generator) if self.p < 1 else None

        def apply(part: Tensor, which: slice) -> Tensor:
            changed = self.function(part, *(each[which] for each in drawn))
            return changed if chosen is None else torch.where(broadcastable(chosen[which], part), changed, part)

        return apply


@dataclass(frozen=True)
class ChangedEntry(RowWise):
    """Replaces one entry of the inputs.

    Attributes:
        entry: Key of the inputs, for instance ``"pixels"``.
        p: Share of the rows that change; the others keep exactly their values.
        function: Inputs and generator -> the new entry, a new tensor of the same shape and dtype.
    """

    entry: str
    p: float
    function: Callable[[Inputs, torch.Generator], Tensor]

    def __call__(
        self, x: Inputs, y: Tensor, weight: Tensor, generator: torch.Generator
    ) -> tuple[Inputs, Tensor, Tensor]:
        changed = self.function(x, generator)
        if self.p < 1:
            changed = torch.where(
                broadcastable(bernoulli(self.p, len(changed), generator), changed), changed, x[self.entry]
            )
        return {**x, self.entry: changed}, y, weight

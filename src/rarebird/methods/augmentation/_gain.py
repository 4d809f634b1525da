"""Settings of augmentations that multiply a picture's differences by a random gain about 1."""

from __future__ import annotations

from typing import Annotated, Self

import torch
from pydantic import Field
from torch import Tensor

from rarebird.methods.augmentation._rows import uniform
from rarebird.methods.augmentation._strength import WithStrength
from rarebird.slots.ranges import Float


class Gain(WithStrength):
    """Settings of a gain; a subclass says which differences it multiplies.

    Attributes:
        strength: Largest change of the gain up or down; 0.2 draws gains from 0.8 to 1.2.
        p: Share of the rows that change.
    """

    strength: Annotated[float, Float(0.05, 0.8), Field(ge=0, le=1)] = 0.2
    p: float = Field(default=1.0, ge=0, le=1)

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; half of the rows, strongly."""
        return [cls(), cls(strength=0.8, p=0.5)]

    def gains(self, batch: int, generator: torch.Generator) -> Tensor:
        """``(batch,)`` uniform draws from ``1 - strength`` to ``1 + strength``."""
        return uniform(1 - self.strength, 1 + self.strength, batch, generator)

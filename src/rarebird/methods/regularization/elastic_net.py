"""Elastic net: L1 and L2 at once; weights of related inputs shrink together, useless ones become exactly zero.

Zou and Hastie, "Regularization and variable selection via the elastic net", JRSS B 2005. After each step of the
optimizer comes the proximal step of ``strength * (l1_share * |w| + (1 - l1_share) * w ** 2 / 2)``: ``w <- sign(w) *
max(|w| - rate * strength * l1_share, 0) / (1 + rate * strength * (1 - l1_share))``.

*Helps when* useful inputs come in groups that are nearly alike: L1 alone keeps one of each group, and which one is
random.

*Does not help when* no weights need to be zero: `l2` has one setting less.

Cost: one pass over the weights per step.

NOTE[DIFF]: the naive elastic net of the paper: weights are not scaled up again afterwards. Only weights shrink, never
biases or norms. See `l1` on strengths under Adam.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field
from torch import nn

from rarebird.methods.regularization.l1 import Shrinking
from rarebird.slots.hooks import Hook
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")


class ElasticNet(Method):
    """How much weights shrink, and by which penalty.

    Attributes:
        strength: Strength of both parts together.
        l1_share: Share of the L1 part; 1 is `l1`, 0 is `l2`.
    """

    strength_field: ClassVar[str] = "strength"

    strength: Annotated[float, Float(1e-4, 1.0, log=True)] = Field(default=0.01, ge=0)
    l1_share: Annotated[float, Float(0.05, 0.95)] = Field(default=0.5, ge=0, le=1)

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(strength=0.1, l1_share=0.0)]

    def attach(self, network: nn.Module) -> Hook:
        """The hook that shrinks after each step."""
        return Shrinking(self.strength * self.l1_share, self.strength * (1 - self.l1_share))

"""Paste a part of another row into each row, and blend the targets in proportion.

Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features" (ICCV 2019). With
probability `p`, a rectangle of picture i (a span of series i) is replaced by the same part of its partner j, a
permutation of the batch; the part's size is 1 - lam, lam from Beta(alpha, alpha). Targets are blended by the share
that was really pasted, each with its own row's weight.

*Label-safe when:* the evidence is spread over the picture or the series. Not when a small spot decides: the pasted part
may change the target but not show the spot.
*Helps when:* photographs are few for the network, which then learns to use the whole object; often better than `mixup`
where it is safe.
*Does not help when:* evidence is local, pictures tiny, or the order of a series' parts is the label.
*Cost:* two passes over the batch.

NOTE[DIFF]: lam and the place are drawn for each row, not for the batch, and the whole part is inside the picture. A
series takes only steps that its partner has, and keeps its own length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Self

import torch
from pydantic import Field
from torch import Tensor

from rarebird.methods.augmentation import _geometry, _rows, _timeline
from rarebird.methods.augmentation._blend import mixed_targets
from rarebird.methods.augmentation._strength import WithStrength
from rarebird.slots.ranges import Float

if TYPE_CHECKING:
    from rarebird.slots.protocols import BoundAugmentation, Inputs, TrainStatistics

KINDS = ("image", "series")


class Cutmix(WithStrength):
    """Settings.

    Attributes:
        alpha: Parameter of the Beta distribution: 0 pastes nothing, 1 makes all sizes equally likely.
        p: Share of the rows that get a part of another row.
    """

    off_at_zero: ClassVar[tuple[str, ...]] = ("alpha", "p")

    alpha: Annotated[float, Float(0.1, 2.0, log=True), Field(ge=0, le=100)] = 1.0
    p: Annotated[float, Float(0.1, 1.0), Field(ge=0, le=1)] = 0.5

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; small or large parts in every row."""
        return [cls(), cls(alpha=0.2, p=1)]

    def bound(self, statistics: TrainStatistics) -> BoundAugmentation:
        """The augmentation for batches."""

        def cut(x: Inputs, y: Tensor, weight: Tensor, generator: torch.Generator) -> tuple[Inputs, Tensor, Tensor]:
            batch = len(y)
            partner = _rows.permutation(batch, generator)
            size = torch.where(
                _rows.bernoulli(self.p, batch, generator), 1 - _rows.beta(self.alpha, batch, generator), 0
            )
            entry = "pixels" if "pixels" in x else "values"
            if entry == "pixels":
                part = _geometry.boxes((size.sqrt(), size.sqrt()), (x[entry].shape[-2], x[entry].shape[-1]), generator)
                kept = 1 - part.float().mean((1, 2, 3))
            else:
                part = span(size, x["lengths"], x["lengths"][partner], x[entry].shape[-1], generator)
                kept = 1 - part.sum((1, 2)) / x["lengths"]
            pasted = torch.where(part, x[entry][partner], x[entry])
            return {**x, entry: pasted}, *mixed_targets(y, weight, partner, kept)

        return cut


def span(size: Tensor, lengths: Tensor, partner_lengths: Tensor, steps: int, generator: torch.Generator) -> Tensor:
    """``(batch, 1, steps)`` bool: a run of steps in each series at a place drawn uniformly.

    Args:
        size: ``(batch,)`` length of the run as a share of the series' own.
        lengths: ``(batch,)`` steps of the series itself.
        partner_lengths: ``(batch,)`` steps of the series that is pasted; the run ends with it.
        steps: Padded length.
        generator: On the device of `size`.
    """
    start = _rows.uniform(0, 1, len(size), generator) * (1 - size) * lengths
    middle = torch.arange(steps, device=size.device) + 0.5
    inside = (middle >= start[:, None]) & (middle < (start + size * lengths)[:, None])
    return inside[:, None] & _timeline.own_steps(torch.minimum(lengths, partner_lengths), steps)

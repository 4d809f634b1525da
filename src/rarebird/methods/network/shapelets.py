"""Shapelets: thousands of pieces of the training series, how near each series comes to them, and a linear head.

Guillaume, Vrain and Elloumi, "Random dilated shapelet transform: a new approach for time series shapelets", ICPRAI
2022. Pieces of the series and of their differences are drawn at random, with steps left out between their own; the
distance of the nearest window of a series, its place, and how often a window is near are the features. Only the head
learns, best solved in closed form: ``head=ridge``.

*Helps when* classes differ in a shape that may come anywhere, and rows are few: its errors are other ones than those of
`multirocket_hydra` and `quant`, so that all together are better than each.

*Does not help when* classes differ in frequencies or levels alone, or there are many thousands of rows.

Cost: about as much as `multirocket_hydra` on a thread; 30,000 features a row.

NOTE[DIFF]: see `_shapelets`. A training row holds the windows from which its own shapelets were taken, at a distance of
0, as no new row does; so its features of these shapelets are the means of the other rows.
"""

# Shape legend: B batch, T steps, F features.

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from rarebird.methods.network._dilated_kernels import embedded_rows, with_differences
from rarebird.methods.network._layers import HeadedNetwork
from rarebird.methods.network._shapelets import ShapeletBank
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Int

if TYPE_CHECKING:
    from rarebird.data.spec import InputSpec
    from rarebird.slots.protocols import Inputs

KINDS = ("series",)
# A feature with a smaller spread tells nothing; scaled features are cut at this size.
FAINT, FARTHEST = 1e-6, 10.0
COLUMNS = 1024  # features that are scaled at once


class Shapelets(Method):
    """Settings of the features.

    Attributes:
        count: Shapelets of the series and of their differences each; three features per shapelet.
    """

    count: Annotated[int, Int(500, 5000, log=True)] = Field(default=2500, ge=2, le=100_000)

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(count=40), cls(count=2)]

    def build(self, spec: InputSpec) -> nn.Module:
        """The network for series of `spec`'s channels and length."""
        return ShapeletsNetwork(self, spec)


class ShapeletsNetwork(HeadedNetwork):
    """Two banks, scaling, head. ``embed(x)`` is the frozen part: ``{"embedded": (B, F)}``."""

    mean: Tensor
    scale: Tensor

    def __init__(self, settings: Shapelets, spec: InputSpec) -> None:
        super().__init__()
        banks = [ShapeletBank(spec.channels, spec.length, settings.count) for _ in range(2)]
        self.banks = nn.ModuleList(banks)
        width = sum(bank.width for bank in banks)
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.head = nn.Linear(width, spec.n_outputs)

    @torch.no_grad()
    def fit_frozen(self, x: Inputs, counts: Tensor) -> Inputs:
        """Take shapelets, thresholds and scales from the training rows, and return their features.

        Args:
            x: All training rows.
            counts: ``(n,)`` how many rows each row counts for.
        """
        shown, lengths = with_differences(x)
        for bank, values in zip(self.banks, shown, strict=True):
            bank.fit(values, lengths, counts)  # type: ignore[operator]
        embedded = embedded_rows(self, x, self.mean.numel())
        origins = torch.cat([bank.origins for bank in self.banks]).cpu()  # type: ignore[misc]
        counts = counts.double().cpu()[:, None]
        rows = torch.arange(len(embedded))[:, None]
        for columns in torch.split(torch.arange(len(origins)), COLUMNS):
            part = embedded[:, columns].double()
            own = torch.eq(rows, origins[columns])
            weight = counts * ~own
            mean = (weight * part).sum(dim=0) / weight.sum(dim=0).clamp(min=FAINT)
            part = torch.where(own, mean, part)
            spread = ((counts * (part - mean).square()).sum(dim=0) / counts.sum()).sqrt()
            embedded[:, columns] = part.float()
            self.mean[columns] = mean.float().to(self.mean.device)
            self.scale[columns] = ((spread > FAINT) / spread.clamp(min=FAINT)).float().to(self.mean.device)
        return {"embedded": embedded}

    @torch.no_grad()
    def embed(self, x: Inputs) -> Inputs:
        """The features of all shapelets, always in float32."""
        if "embedded" in x:
            return x
        shown, lengths = with_differences(x)
        with torch.autocast(lengths.device.type, enabled=False):
            found = [bank(values, lengths) for bank, values in zip(self.banks, shown, strict=True)]
            return {"embedded": torch.cat(found, dim=1)}

    def features(self, x: Inputs) -> Tensor:
        return ((self.embed(x)["embedded"] - self.mean) * self.scale).clamp(-FARTHEST, FARTHEST)

"""MultiRocket and Hydra: tens of thousands of frozen features of a series' shapes, and a linear head.

Tan, Dempster, Bergmeir and Webb, "MultiRocket", Data Mining and Knowledge Discovery 2022; Dempster, Schmidt and Webb,
"Hydra", DMKD 2023, which also names their combination. The features of both banks of kernels, on the series and on its
differences, are scaled by the training rows; only the head learns, best solved in closed form: ``head=ridge``.

*Helps when* series are few, from tens to a few thousands: the most accurate quick method on the UCR archive. Thresholds
and scales are taken from the training rows without their labels, so that only the head can overfit.

*Does not help when* there are many thousands of rows, from which kernels can be learned, or memory is scarce: each row
has about 55,000 features (220 kB).

Cost: about 10 ms a row of 500 steps on one thread, and the head's solution.

NOTE[DIFF]: see `_multirocket` and `_hydra`. The features of MultiRocket that hardly vary are left out, and scaled ones
are cut at `FARTHEST`, so that no feature of a new row is far outside what the head has seen.
"""

# Shape legend: B batch, C channels, T steps, F features.

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from rarebird.methods.network._dilated_kernels import embedded_rows, with_differences
from rarebird.methods.network._hydra import HydraBank
from rarebird.methods.network._layers import HeadedNetwork
from rarebird.methods.network._multirocket import MultiRocketBank
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Int

if TYPE_CHECKING:
    from rarebird.data.spec import InputSpec
    from rarebird.slots.protocols import Inputs

KINDS = ("series",)
# A feature of MultiRocket with a smaller spread tells nothing; scaled features are cut at this size.
FAINT, FARTHEST = 1e-6, 10.0
# Hydra's scale grows where nearly all rows have a 0 at a feature: by the share of zeros to this power.
ZEROS_POWER = 4
# Features that are scaled at once.
COLUMNS = 1024


class MultirocketHydra(Method):
    """Settings of the features.

    Attributes:
        kernels: MultiRocket's thresholds, for the series and for its differences each; four features per threshold.
        groups: Hydra's groups of competing kernels per dilation, for the series and its differences each.
        group_size: Kernels of a group.
    """

    kernels: Annotated[int, Int(1000, 6250, log=True)] = Field(default=6250, ge=84, le=100_000)
    groups: Annotated[int, Int(8, 64, log=True)] = Field(default=32, ge=1, le=1024)
    group_size: Annotated[int, Int(4, 16, log=True)] = Field(default=8, ge=2, le=256)

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(kernels=168, groups=4, group_size=4), cls(kernels=84, groups=1, group_size=2)]

    def build(self, spec: InputSpec) -> nn.Module:
        """The network for series of `spec`'s channels and length."""
        return MultirocketHydraNetwork(self, spec)


class MultirocketHydraNetwork(HeadedNetwork):
    """Two banks of each kind, scaling, head. ``embed(x)`` is the frozen part: ``{"embedded": (B, F)}``."""

    mean: Tensor
    scale: Tensor

    def __init__(self, settings: MultirocketHydra, spec: InputSpec) -> None:
        super().__init__()
        channels, length = spec.channels, spec.length
        rocket = [MultiRocketBank(channels, length, settings.kernels) for _ in range(2)]
        hydra = [HydraBank(channels, length, settings.groups, settings.group_size) for _ in range(2)]
        self.rocket, self.hydra = nn.ModuleList(rocket), nn.ModuleList(hydra)
        self.n_rocket = sum(bank.width for bank in rocket)
        width = self.n_rocket + sum(bank.width for bank in hydra)
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.head = nn.Linear(width, spec.n_outputs)

    @torch.no_grad()
    def fit_frozen(self, x: Inputs, counts: Tensor) -> Inputs:
        """Take thresholds and scales from the training rows, and return their features.

        Args:
            x: All training rows.
            counts: ``(n,)`` how many rows each row counts for.
        """
        shown, lengths = with_differences(x)
        for bank, values in zip(self.rocket, shown, strict=True):
            bank.fit(values, lengths, counts)  # type: ignore[operator]
        embedded = embedded_rows(self, x, self.mean.numel())
        share = counts.double() / counts.double().sum()
        for columns in torch.split(torch.arange(self.mean.numel()), COLUMNS):
            part = embedded[:, columns].double()
            mean = share @ part
            spread = (share @ (part - mean).square()).sqrt()
            zeros = share @ (part == 0).double()
            of_rocket = (spread > FAINT) / spread.clamp(min=FAINT)
            of_hydra = 1 / (spread + zeros**ZEROS_POWER + 1e-8)
            self.mean[columns] = mean.float().to(self.mean.device)
            self.scale[columns] = torch.where(columns < self.n_rocket, of_rocket, of_hydra).float().to(self.mean.device)
        return {"embedded": embedded}

    @torch.no_grad()
    def embed(self, x: Inputs) -> Inputs:
        """The features of all kernels, always in float32: a rounding error of bfloat16 would change which output is
        largest."""
        if "embedded" in x:
            return x
        shown, lengths = with_differences(x)
        with torch.autocast(lengths.device.type, enabled=False):
            banks = zip((*self.rocket, *self.hydra), (*shown, *shown), strict=True)
            return {"embedded": torch.cat([bank(values, lengths) for bank, values in banks], dim=1)}

    def features(self, x: Inputs) -> Tensor:
        embedded = self.embed(x)["embedded"]
        scaled = ((embedded - self.mean) * self.scale).clamp(-FARTHEST, FARTHEST)
        scaled[:, self.n_rocket :] *= embedded[:, self.n_rocket :] != 0
        return scaled

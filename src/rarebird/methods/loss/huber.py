"""Huber: squared error for small errors, absolute error for large ones.

Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics 1964: with ``e = output - y`` on
the standardized target, ``e^2`` where ``|e| <= delta`` and ``2 delta |e| - delta^2`` beyond, so that a row's gradient
never exceeds ``2 delta``.

*Helps when* a few targets are extreme or wrong, and should not dominate what the network learns from the others.

*Does not help when* extreme targets matter most (see `density_weighted`), or when the model is scored by the squared
error and the targets have no errors: it learns a value between mean and median. Nor for classes, which it refuses.

Cost: negligible.

NOTE[DIFF]: twice Huber's function, so that large `delta` gives `mean_squared` and the learning rate stays as it is.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from rarebird.methods.loss.mean_squared import errors
from rarebird.slots.methods import Method
from rarebird.slots.protocols import TargetStatistics
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")


class Huber(Method):
    """From which size on an error counts as large.

    Attributes:
        delta: In standard deviations of the target.
    """

    tasks: ClassVar[tuple[str, ...]] = ("regression",)
    per_row: ClassVar[bool] = True

    delta: Annotated[float, Float(0.1, 3, log=True)] = Field(default=1.0, gt=0, le=1000)

    @classmethod
    def examples(cls) -> list[Self]:
        """The default, nearly the absolute error, and nearly the squared one."""
        return [cls(), cls(delta=0.1), cls(delta=100.0)]

    def build(self, targets: TargetStatistics) -> nn.Module:
        """The loss as a module; it does not depend on the targets' distribution."""
        return HuberModule(self.delta)

    def prior_factor(self, targets: TargetStatistics) -> np.ndarray | None:
        """None: numbers have no prior over classes."""
        return None


class HuberModule(nn.Module):
    """``outputs (batch, n_outputs), y (batch, n_outputs) -> (batch,)``."""

    def __init__(self, delta: float) -> None:
        super().__init__()
        self.delta = delta

    def forward(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Huber's loss per row."""
        return huber(outputs, y, self.delta)


def huber(outputs: Tensor, y: Tensor, delta: float) -> Tensor:
    """Huber's loss, twice, mean over the outputs of a row, ``(batch, n_outputs) x (batch, n_outputs) -> (batch,)``."""
    error = errors(outputs, y)
    near = torch.clamp(error.abs(), max=delta)
    return (near * (2 * error.abs() - near)).mean(dim=1)

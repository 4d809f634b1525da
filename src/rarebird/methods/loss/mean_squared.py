"""Mean squared error: for targets that are numbers; the baseline for regression.

``mean_j (y_j - output_j)^2`` over the outputs of a row, on the standardized target: maximum likelihood under Gaussian
noise of one width (Bishop, "Pattern Recognition and Machine Learning", 2006, section 3.1.1). The network learns the
conditional mean.

*Helps when* the mean should be predicted, and the model is scored by r2 or the squared error.

*Does not help when* a few targets are extreme: their squared errors dominate the gradient; see `huber`. Nor for
classes, which it refuses.

Cost: negligible.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from rarebird.slots.methods import Method
from rarebird.slots.protocols import TargetStatistics

KINDS = ("image", "table", "series")


class MeanSquared(Method):
    """Squared error of standardized targets; it has no settings."""

    tasks: ClassVar[tuple[str, ...]] = ("regression",)
    per_row: ClassVar[bool] = True

    def build(self, targets: TargetStatistics) -> nn.Module:
        """The loss as a module; it does not depend on the targets' distribution."""
        return MeanSquaredModule()

    def prior_factor(self, targets: TargetStatistics) -> np.ndarray | None:
        """None: numbers have no prior over classes."""
        return None


class MeanSquaredModule(nn.Module):
    """``outputs (batch, n_outputs), y (batch, n_outputs) -> (batch,)``."""

    def forward(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Squared error per row."""
        return mean_squared(outputs, y)


def mean_squared(outputs: Tensor, y: Tensor) -> Tensor:
    """Squared error, mean over the outputs of a row, ``(batch, n_outputs) x (batch, n_outputs) -> (batch,)``, in
    float32 or wider."""
    return errors(outputs, y).square().mean(dim=1)


def errors(outputs: Tensor, y: Tensor) -> Tensor:
    """``outputs - y``, in float32 or wider."""
    return outputs.to(torch.promote_types(outputs.dtype, torch.float32)) - y

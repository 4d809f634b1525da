"""Logit-adjusted cross entropy: a row must beat its class's rarity by a margin.

Menon et al., "Long-tail learning via logit adjustment", ICLR 2021: ``cross_entropy(logits + tau log prior, y)``. The raw logits then
answer to the prior ``prior^(1 - tau)``: at ``tau = 1`` to equal classes, which is what balanced accuracy asks for (and the loss is the
balanced softmax of Ren et al., NeurIPS 2020).

*Helps when* classes are skewed and the network is strong enough to fit its training rows: the margin goes on acting where class weights
fade.

*Does not help when* the classes are balanced (it is then cross entropy), or a class has so few rows that its features cannot be learned
at all.

Cost: that of cross entropy.

NOTE[DIFF]: a class without training rows has the prior of one row, not zero.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from rarebird.checks import require
from rarebird.methods import Method
from rarebird.ranges import Float
from rarebird.remedies.loss.cross_entropy import cross_entropy

KINDS = ("image", "table", "series")


class LogitAdjusted(Method):
    """How much of the prior is taken out of the logits.

    Attributes:
        tau: 0 is cross entropy, 1 aims at balanced accuracy.
    """

    tasks: ClassVar[tuple[str, ...]] = ("classification",)

    tau: Annotated[float, Float(0, 2)] = Field(default=1.0, ge=0, le=10)

    @classmethod
    def neutral(cls) -> Self:
        """Cross entropy."""
        return cls(tau=0.0)

    @classmethod
    def examples(cls) -> list[Self]:
        """The paper's, cross entropy, and half and one and a half of the way."""
        return [cls(), cls(tau=0.0), cls(tau=0.5), cls(tau=1.5)]

    def build(self, class_counts: Tensor | None, classes: tuple[str, ...] = ()) -> nn.Module:
        """The loss as a module."""
        require(class_counts is not None, "logit_adjusted is for classes, with their counts", class_counts=class_counts)
        assert class_counts is not None
        offsets = self.tau * log_prior(class_counts.double().cpu().numpy())
        return LogitAdjustedModule(torch.as_tensor(offsets, dtype=torch.float32, device=class_counts.device))

    def prior_factor(self, class_counts: np.ndarray, classes: tuple[str, ...] = ()) -> np.ndarray:
        """``prior^-tau``, scaled to mean 1 over the training rows: what the raw logits' prior is multiplied by."""
        factor = np.exp(-self.tau * log_prior(class_counts))
        scaled: np.ndarray = factor * (class_counts.sum() / (factor * class_counts).sum())
        return scaled


class LogitAdjustedModule(nn.Module):
    """``logits (batch, n_classes), y (batch, n_classes) -> (batch,)`` with one offset per class."""

    offsets: Tensor

    def __init__(self, offsets: Tensor) -> None:
        super().__init__()
        self.register_buffer("offsets", offsets, persistent=False)

    def forward(self, logits: Tensor, y: Tensor) -> Tensor:
        """Cross entropy of the adjusted logits per row."""
        # float32 offsets lift half-precision logits to float32 before the sum, where small differences would be lost.
        return cross_entropy(logits + self.offsets.to(logits.device), y)


def log_prior(class_counts: np.ndarray) -> np.ndarray:
    """``(n_classes,)`` log of the class frequencies; a class without rows counts as one row."""
    counts = np.where(class_counts > 0, class_counts, 1).astype(np.float64)
    require(class_counts.sum() > 0, "at least one training row", class_counts=class_counts.tolist())
    logs: np.ndarray = np.log(counts / counts.sum())
    return logs

"""Focal loss: rows that are already well classified count less.

Lin et al., "Focal loss for dense object detection", ICCV 2017, in its multi-class form on the softmax: ``-sum_k a_k y_k (1 - p_k)^gamma
log p_k``.

*Helps when* a mass of easy rows drowns the few hard ones, as background does in detection.

*Does not help when* labels are noisy (wrong labels are the hardest rows), or when probabilities matter and no rows are left to calibrate
them: the loss is not proper, its probabilities lean to the middle, and no known prior puts them right.

Cost: cross entropy and two more passes over the logits.

NOTE[DIFF]: the paper's loss is for two classes on a sigmoid; here every class is treated alike, and with two classes the softmax of two
logits is the paper's sigmoid. The paper's fixed alpha is replaced by `balanced`, the weights of `weighted`.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from rarebird.checks import require
from rarebird.methods import Method
from rarebird.ranges import Float
from rarebird.remedies.loss.cross_entropy import log_probabilities
from rarebird.remedies.loss.weighted import class_weights

KINDS = ("image", "table", "series")


class Focal(Method):
    """How strongly easy rows are turned down.

    Attributes:
        gamma: 0 is cross entropy; at 2 a row with ``p = .9`` counts a hundredth.
        alpha: ``balanced`` multiplies in the balanced class weights.
    """

    tasks: ClassVar[tuple[str, ...]] = ("classification",)

    gamma: Annotated[float, Float(0, 5)] = Field(default=2.0, ge=0, le=20)
    alpha: Literal["balanced"] | None = None

    @classmethod
    def neutral(cls) -> Self:
        """Cross entropy."""
        return cls(gamma=0.0)

    @classmethod
    def examples(cls) -> list[Self]:
        """The paper's, cross entropy, and powers below 1, whose slope at ``p = 1`` is the numerically hard case."""
        return [cls(), cls(gamma=0.0), cls(gamma=0.5), cls(gamma=3.0, alpha="balanced")]

    def build(self, class_counts: Tensor | None, classes: tuple[str, ...] = ()) -> nn.Module:
        """The loss as a module; counts are needed for `alpha` only."""
        if self.alpha is None:
            return FocalModule(self.gamma, None)
        require(class_counts is not None, "focal with alpha is for classes, with their counts", class_counts=class_counts)
        assert class_counts is not None
        weights = class_weights(class_counts.double().cpu().numpy(), power=1.0)
        return FocalModule(self.gamma, torch.as_tensor(weights, dtype=torch.float32, device=class_counts.device))

    def prior_factor(self, class_counts: np.ndarray, classes: tuple[str, ...] = ()) -> np.ndarray | None:
        """None, as the loss is not proper; at ``gamma = 0`` the weights of `alpha`."""
        if self.gamma > 0:
            return None
        return np.ones(len(class_counts)) if self.alpha is None else class_weights(class_counts, power=1.0)


class FocalModule(nn.Module):
    """``logits (batch, n_classes), y (batch, n_classes) -> (batch,)``."""

    weights: Tensor | None

    def __init__(self, gamma: float, weights: Tensor | None) -> None:
        super().__init__()
        self.gamma = gamma
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, logits: Tensor, y: Tensor) -> Tensor:
        """Focal loss per row."""
        return focal(logits, y if self.weights is None else y * self.weights.to(y.device), self.gamma)


def focal(logits: Tensor, y: Tensor, gamma: float) -> Tensor:
    """Focal loss with soft targets, ``(batch, n_classes) x (batch, n_classes) -> (batch,)``."""
    log_p = log_probabilities(logits)
    return -(y * torch.exp(gamma * log_complement(log_p)) * log_p).sum(dim=1)


def log_complement(log_p: Tensor) -> Tensor:
    """``log(1 - p)`` for rows of log-probabilities ``(batch, n_classes)``, finite with finite gradient where p rounds to 1.

    Only the most probable class can have p near 1; its complement is summed from the other classes' log-probabilities instead.
    """
    top = torch.zeros_like(log_p, dtype=torch.bool).scatter_(1, log_p.argmax(dim=1, keepdim=True), True)
    others = torch.logsumexp(log_p.masked_fill(top, -torch.inf), dim=1, keepdim=True)
    return torch.where(top, others, torch.log1p(-torch.exp(log_p.masked_fill(top, -torch.inf))))

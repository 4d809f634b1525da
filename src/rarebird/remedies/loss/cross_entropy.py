"""Cross entropy: every row counts the same, whatever its class.

The maximum-likelihood loss for classes, here on soft targets: ``-sum_k y_k log p_k`` with ``p = softmax(logits)`` (Bridle, "Probabilistic
interpretation of feedforward classification network outputs", 1990; Bishop, "Pattern Recognition and Machine Learning", 2006, section
4.3.4).

*Helps when* the classes are roughly balanced, or when a decision that divides by the prior follows: its logits answer to the natural
prior, so the probabilities need the least repair.

*Does not help when* a class is so rare that the network never learns its features: its rows give almost no gradient.

Cost: one log-softmax per batch.
"""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from rarebird.methods import Method

KINDS = ("image", "table", "series")


class CrossEntropy(Method):
    """Plain cross entropy; nothing to set."""

    tasks: ClassVar[tuple[str, ...]] = ("classification",)

    @classmethod
    def neutral(cls) -> Self:
        """Cross entropy is its own neutral setting."""
        return cls()

    def build(self, class_counts: Tensor | None, classes: tuple[str, ...] = ()) -> nn.Module:
        """The loss as a module; counts and labels play no part."""
        return CrossEntropyModule()

    def prior_factor(self, class_counts: np.ndarray, classes: tuple[str, ...] = ()) -> np.ndarray | None:
        """Ones: the logits answer to the prior of the rows they saw."""
        return np.ones(len(class_counts))


class CrossEntropyModule(nn.Module):
    """``logits (batch, n_classes), y (batch, n_classes) -> (batch,)``."""

    def forward(self, logits: Tensor, y: Tensor) -> Tensor:
        """Cross entropy per row."""
        return cross_entropy(logits, y)


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """Cross entropy with soft targets, ``(batch, n_classes) x (batch, n_classes) -> (batch,)`` in nats."""
    return -(y * log_probabilities(logits)).sum(dim=1)


def log_probabilities(logits: Tensor) -> Tensor:
    """Log-softmax over classes, never below float32: bfloat16 has three digits, too few for a difference of logs."""
    return torch.log_softmax(logits.to(torch.promote_types(logits.dtype, torch.float32)), dim=1)

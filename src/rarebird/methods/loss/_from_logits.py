"""What losses for classes share: a module that warns if it gets probabilities, and exact logarithms of the softmax."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from rarebird.core.checks import require
from rarebird.slots.protocols import TargetStatistics


class FromLogits(nn.Module):
    """``logits (batch, n_classes), y (batch, n_classes) -> (batch,)`` by a plain function of them and of numbers known
    per class.

    The first batches are checked: a network that ends in a softmax learns slowly and badly from such a loss, and no
    other message shows it. Later batches are not checked, as each check waits for the device.

    Args:
        function: ``function(logits, y, **per_class)``; for a loss of pairs of rows it also takes the rows' weights,
            after `y`.
        **per_class: Arrays over the classes. They move with the module to its device and are not saved.
    """

    LOOKS: ClassVar[int] = 3

    def __init__(self, function: Callable[..., Tensor], **per_class: np.ndarray) -> None:
        super().__init__()
        self._function, self._looks_left = function, self.LOOKS
        for name, values in per_class.items():
            # float32, so that half-precision logits are cast up before a sum, in which small differences would be lost.
            self.register_buffer(name, torch.as_tensor(values, dtype=torch.float32), persistent=False)

    def forward(self, logits: Tensor, *targets: Tensor) -> Tensor:
        """The loss of each row; for a loss of pairs, their weighted mean."""
        if self._looks_left > 0:
            self._look(logits)
        per_class = {name: values.to(logits.device) for name, values in self._buffers.items() if values is not None}
        return self._function(logits, *targets, **per_class)

    def _look(self, logits: Tensor) -> None:
        self._looks_left -= 1
        if are_probabilities(logits):
            self._looks_left = 0
            warnings.warn(
                "The loss takes logits but was given probabilities (each row lies within 0..1 and sums to 1); "
                "remove the softmax at the end of the network.",
                UserWarning,
                stacklevel=3,
            )


def are_probabilities(logits: Tensor) -> bool:
    """Whether every row of ``(batch, n_classes)`` is in 0..1 and sums to 1, which logits are only by rare chance."""
    rows = logits.detach().float()
    if rows.shape[0] == 0:
        return False
    # Probabilities in bfloat16 sum to 1 up to 1/256. Logits of one or two rows might do so as well, so for few rows the
    # sum must be exact.
    tolerance = 2**-8 if rows.shape[0] >= 4 else 1e-5
    sums_to_one = (rows.sum(dim=1) - 1).abs() <= tolerance
    return bool((sums_to_one & (rows >= 0).all(dim=1) & (rows <= 1).all(dim=1)).all())


def known_counts(targets: TargetStatistics, loss: str) -> np.ndarray:
    """``(n_classes,)`` training rows per class, a row of weight k counting for k.

    Raises:
        ValueError: The target is a number and not a class, or there are no rows.
    """
    require(
        targets.class_counts is not None, f"{loss} is for classes, with their counts", class_counts=targets.class_counts
    )
    assert targets.class_counts is not None
    require(targets.class_counts.sum() > 0, "at least one training row", class_counts=targets.class_counts.tolist())
    return targets.class_counts


def at_least_one(class_counts: np.ndarray) -> np.ndarray:
    """``(n_classes,)`` counts as float64, where a class without training rows counts as one row, so that logarithm and
    inverse are finite."""
    counts: np.ndarray = np.where(class_counts > 0, class_counts, 1).astype(np.float64)
    return counts


def log_probabilities(logits: Tensor) -> Tensor:
    """Log-softmax over classes in float32 or wider: bfloat16 has three digits, too few for a difference of logs."""
    return torch.log_softmax(logits.to(torch.promote_types(logits.dtype, torch.float32)), dim=1)


def log_complement(log_p: Tensor) -> Tensor:
    """``log(1 - p)`` for rows of log-probabilities ``(batch, n_classes)``, finite with finite gradient where p rounds
    to 1.

    Only the most probable class can have p near 1; its complement is the sum of the other classes' probabilities.
    """
    top = torch.zeros_like(log_p, dtype=torch.bool).scatter_(1, log_p.argmax(dim=1, keepdim=True), True)
    others = torch.logsumexp(log_p.masked_fill(top, -torch.inf), dim=1, keepdim=True)
    return torch.where(top, others, torch.log1p(-torch.exp(log_p.masked_fill(top, -torch.inf))))

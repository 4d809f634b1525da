"""What a method of the slot `head` is given, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class HeadRows:
    """Training rows of a linear head.

    Attributes:
        features: ``(n, width)`` frozen features.
        targets: ``(n, n_outputs)`` class probabilities, or standardized values for regression.
        counts: ``(n,)`` how many rows each row counts for, above 0.
        groups: ``(n,)`` labels, equal for rows of which none may judge another (a group, copies); None: each alone.
        task: ``classification`` or ``regression``.
    """

    features: Tensor
    targets: Tensor
    counts: np.ndarray
    groups: np.ndarray | None
    task: str


@dataclass(frozen=True, eq=False)
class SolvedHead:
    """A linear head: ``features @ weight.T + bias`` are its outputs.

    Attributes:
        weight: ``(n_outputs, width)`` float32.
        bias: ``(n_outputs,)`` float32.
        own_outputs: ``(n, n_outputs)`` for each training row, the outputs of a head that was solved without the row,
            or without its group.
    """

    weight: Tensor
    bias: Tensor
    own_outputs: np.ndarray

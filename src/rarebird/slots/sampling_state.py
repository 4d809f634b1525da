"""What a batch sampler is given beside the classes of the rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class SamplingState:
    """What a batch sampler may use when it plans an epoch.

    Attributes:
        progress: Share of the whole training that is done, 0..1.
        fold: Which part of the cross-fitting is trained.
        rows: ``(n,)`` how many rows each training row counts for, by its weight; None where each counts for one.
        last_loss: ``(n,)`` each row's loss when last in a batch, NaN before; None at first, and if no stage reads it.
    """

    progress: float = 0.0
    fold: int = 0
    rows: np.ndarray | None = None
    last_loss: np.ndarray | None = None

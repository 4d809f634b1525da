"""Where a training is: what a checkpoint keeps beside the weights, the optimizer and the hooks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor


@dataclass
class Epoch:
    """A pass over the rows, from whose beginning its batches can be drawn again.

    Attributes:
        draws: The state of the generator that draws batches, before the pass.
        progress: The training's progress then.
        last_loss: As in `SamplingState`, then.
        taken: Batches that were taken.
    """

    draws: dict[str, Any]
    progress: float
    last_loss: np.ndarray | None
    taken: int = 0


@dataclass
class Position:
    """Where the loop of a training is.

    Attributes:
        place: The place of the stage; -1 before the first one.
        schedule_start: The progress at which the schedule began.
        first_entry: The entry of the history with which it began.
        next_evaluation: The progress from which on the network is evaluated again.
        losses: Of the steps since the last evaluation.
        epoch: The pass over the rows; None between two of them.
    """

    place: int = -1
    schedule_start: float = 0.0
    first_entry: int = 0
    next_evaluation: float = 0.0
    losses: list[Tensor] = field(default_factory=list)
    epoch: Epoch | None = None

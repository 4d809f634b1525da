"""Device, deadline, progress and checkpoints: every training is given these together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rarebird.core.progress import Progress, silent


@dataclass(frozen=True)
class Compute:
    """Where a training computes, when it must end, and who is told of its progress.

    Attributes:
        device: A torch device, ``cpu`` or ``cuda``.
        deadline: When the training must have ended, on the scale of `time.monotonic`; None: no limit, and nothing is
            measured, so that the training repeats exactly.
        progress: Called with the share done; if it returns True, the training ends early.
        checkpoints: The folder in which trainings write their state from time to time, and from which they go on; None:
            they do not.
    """

    device: str = "cpu"
    deadline: float | None = None
    progress: Progress = silent
    checkpoints: Path | None = None

"""Device, deadline and progress: every training is given these three together."""

from __future__ import annotations

from dataclasses import dataclass

from rarebird.core.progress import Progress, silent


@dataclass(frozen=True)
class Compute:
    """Where a training computes, when it must end, and who is told of its progress.

    Attributes:
        device: A torch device, ``cpu`` or ``cuda``.
        deadline: When the training must have ended, on the scale of `time.monotonic`; None: no limit, and nothing is
            measured, so that the training repeats exactly.
        progress: Called with the share done; if it returns True, the training ends early.
    """

    device: str = "cpu"
    deadline: float | None = None
    progress: Progress = silent

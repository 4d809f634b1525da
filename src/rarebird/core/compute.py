"""Where a training computes, until when, and who is told: what travels together from a command to the last step."""

from __future__ import annotations

from dataclasses import dataclass

from rarebird.core.progress import Progress, silent


@dataclass(frozen=True)
class Compute:
    """What a training has to compute with.

    Attributes:
        device: A torch device, ``cpu`` or ``cuda``.
        deadline: When the training must have ended, on the scale of `time.monotonic`; None: no limit, and nothing is
            measured, so that the training repeats exactly.
        progress: Told of the share done; True from it ends the training early.
    """

    device: str = "cpu"
    deadline: float | None = None
    progress: Progress = silent

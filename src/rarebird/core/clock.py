"""Wall-clock time since the process started, and how much of a budget is left."""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rarebird.core.checks import DataError

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_IMPORTED = time.monotonic()
# An interpreter needs fewer seconds to get here; an earlier start comes from another clock (some sandboxes count from
# the start of the machine).
_LONGEST_START = 60.0
# Seconds, and share of a budget, that are reserved for calibration, figures and files; each training reserves the time
# to predict and score held-out and test rows.
RESERVE, RESERVE_SHARE = 4.0, 0.02
# Below this share of the budget, the user is told why the work ended early.
EARLY = 0.7


def process_start() -> float:
    """When this process started, on the scale of `time.monotonic`; if the system does not tell, when this module was
    imported."""
    try:
        started = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
        start = time.monotonic() - (time.clock_gettime(time.CLOCK_BOOTTIME) - started)
    except (OSError, ValueError, AttributeError, IndexError):
        return _IMPORTED
    return start if 0 <= _IMPORTED - start <= _LONGEST_START else _IMPORTED


def seconds_of(text: str) -> float:
    """``90``, ``90s``, ``1.5m``, ``2h`` in seconds.

    Raises:
        DataError: The text is no duration, or not above 0.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd]?)\s*", text)
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if not 0 < seconds < math.inf:
        raise DataError(f"A budget is a time above 0 such as 90s, 5m or 1h, but got {text!r}.")
    return seconds


def cpu_seconds() -> float:
    """CPU time of this process and of those that it has waited for."""
    return sum(os.times()[:4])


@dataclass
class Clock:
    """A budget of wall-clock seconds.

    Attributes:
        budget: Seconds from `start`; None for no limit.
        start: On the scale of `time.monotonic`.
        cpu_start: As `cpu_seconds` at the start.
    """

    budget: float | None = None
    start: float = field(default_factory=time.monotonic)
    cpu_start: float = field(default_factory=lambda: cpu_seconds())

    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.start

    def cpu_elapsed(self) -> float:
        """Seconds of CPU time since the start."""
        return cpu_seconds() - self.cpu_start

    def training_deadline(self) -> float | None:
        """When training must have ended, on the scale of `time.monotonic`: the end of the budget minus the reserve
        for calibration, figures and files; None for no limit."""
        return None if self.budget is None else self.start + self.budget * (1 - RESERVE_SHARE) - RESERVE

    def end_of_part(self, share: float) -> float | None:
        """When a part of the work that starts now has taken a share of the budget, on the scale of `time.monotonic`;
        None for no limit."""
        return None if self.budget is None else time.monotonic() + share * self.budget

    def ends_early(self) -> bool:
        """Whether work that ends now uses so little of the budget that the user should be told why."""
        return self.budget is not None and self.elapsed() < EARLY * self.budget


def end_of_share(deadline: float | None, now: float, shares: int) -> float | None:
    """When the first of equal shares of the time from now to the deadline ends; None for no limit."""
    return None if deadline is None else now + max(deadline - now, 0.0) / shares


@contextmanager
def timed(timings: dict[str, float], name: str) -> Iterator[None]:
    """Record the seconds of a block under a name."""
    start = time.monotonic()
    yield
    timings[name] = round(time.monotonic() - start, 3)

"""How far a training has come: the laid-out steps, and their re-laying where the machine turns out slower or faster
than measured.

The learning rate follows `progress`, which always runs from 0 to 1: a schedule is never cut short. When the clock shows
that the laid-out steps would overrun the deadline, or end well before it, the rest is laid out anew; each such change
is recorded, so that a replay makes it at the same step.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

from rarebird.core.checks import require

# Looking at the clock is cheap, but a projection from a few steps is noise: look each time this share of the course has
# passed.
LOOK_EVERY = 0.02
TOLERANCE = 1.03
# Time is won back only where much of it is left over, and not in the last part of the course, whose learning rates
# matter most.
MUCH = 1.15
GROWS_UNTIL = 0.7
# A stutter must not shrink the course to nothing: the pace is the median of the last few looks'.
LOOKS = 5


class Course:
    """The steps of one training.

    Args:
        steps: Laid-out optimizer steps, at least 1.
        deadline: When the last step should have been taken, on the scale of `time.monotonic`; None: never re-laid.
        changes: Recorded changes (step, new total) to repeat; the clock is then not looked at.
        most: Steps that are never passed, however fast the machine; None: `steps`.
    """

    def __init__(
        self,
        steps: int,
        deadline: float | None = None,
        changes: Sequence[tuple[int, int]] = (),
        most: int | None = None,
    ) -> None:
        require(steps >= 1, "steps >= 1", steps=steps)
        self.step = 0
        self.steps = steps
        self.progress = 0.0
        self.changes: list[tuple[int, int]] = []
        self._most = steps if most is None else most
        self._deadline = deadline
        self._replayed = dict(changes)
        self._looked = (0, time.monotonic())
        self._paces: list[float] = []
        self._next_look = LOOK_EVERY

    @property
    def done(self) -> bool:
        """Whether the last step has been taken."""
        return self.step >= self.steps

    def advance(self) -> None:
        """One step has been taken."""
        self.progress = (
            1.0 if self.step + 1 >= self.steps else self.progress + (1 - self.progress) / (self.steps - self.step)
        )
        self.step += 1
        if self.step in self._replayed:
            self._relay(self._replayed[self.step])
        elif self._deadline is not None and self.progress >= self._next_look and not self.done:
            self._next_look = self.progress + LOOK_EVERY
            self._look(self._deadline)

    def stop(self) -> None:
        """The step just taken is the last: an early stop, or the user's."""
        self._relay(self.step)
        self.progress = 1.0

    def _look(self, deadline: float) -> None:
        now = time.monotonic()
        step, then = self._looked
        self._looked = (self.step, now)
        self._paces = [*self._paces[1 - LOOKS :], (now - then) / (self.step - step)]
        pace = statistics.median(self._paces)
        if self.progress >= GROWS_UNTIL:
            # Near the end there is no time left to wait and see whether a slow spell lasts.
            pace = max(pace, statistics.mean(self._paces[-2:]))
        affordable = int(max(deadline - now, 0) / max(pace, 1e-9))
        left = self.steps - self.step
        if left > TOLERANCE * affordable + 1:
            self._relay(self.step + max(affordable, 1))
        elif (
            affordable > MUCH * left
            and self.progress < GROWS_UNTIL
            and len(self._paces) == LOOKS
            and self.steps < self._most
        ):
            self._relay(min(self.step + affordable, self._most))

    def _relay(self, total: int) -> None:
        if total != self.steps:
            self.steps = total
            self.changes.append((self.step, total))

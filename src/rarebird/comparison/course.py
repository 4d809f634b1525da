"""How much of its own training each recipe of a comparison gets: the same share for all, and no verdict below a
quarter."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from rarebird.core.clock import RESERVE, RESERVE_SHARE

# A recipe that is trained for less than this share of its own steps tells little about a remedy.
FEWEST_STEPS_SHARE = 0.25
# A named budget is longer than the measured need by this factor, and is given in minutes from this number of seconds.
MARGIN, MINUTES_FROM = 1.15, 100.0


@dataclass(frozen=True)
class Course:
    """The length of all trainings of a comparison.

    Attributes:
        share: Share of its own steps (or rounds) for which each recipe is trained.
        own_steps: Steps that the baseline asks for; 0 where the share is 1.
        seconds_needed: Seconds from the start of the comparison with which verdicts could be given; 0 if they are, or
            if the steps were given.
        enough: The option with which verdicts could be given; empty if they are.
    """

    share: float = 1.0
    own_steps: int = 0
    seconds_needed: float = 0.0
    enough: str = ""

    @classmethod
    def of_steps(cls, steps: int, own_steps: int) -> Course:
        """The course of a baseline with given steps that asks for `own_steps` by its epochs."""
        if steps >= own_steps:
            return cls()
        return cls(steps / own_steps, own_steps, enough=f"--steps {math.ceil(FEWEST_STEPS_SHARE * own_steps)}")

    @property
    def is_judged(self) -> bool:
        """Whether the trainings are long enough for verdicts."""
        return self.share >= FEWEST_STEPS_SHARE

    @property
    def steps(self) -> int:
        """Steps of the baseline."""
        return max(1, round(self.share * self.own_steps))

    @property
    def note(self) -> str:
        """What was given up; empty where nothing was."""
        if self.share >= 1:
            return ""
        return (
            f"Each recipe is trained for {self.share:.2g} of the steps or rounds that it asks for: the baseline for "
            f"{self.steps} of {self.own_steps}."
        )

    @property
    def no_verdict(self) -> str:
        """Why there are no verdicts, and with which option there would be; empty where there are."""
        if self.is_judged:
            return ""
        enough = f" {self.enough} would do." if self.enough else ""
        return (
            f"No verdict is given: the baseline was trained for {self.steps} of the {self.own_steps} steps that it "
            f"asks for, and below a quarter of them differences tell little.{enough}"
        )

    def with_budget(self, seconds_before: float) -> Course:
        """The course that names the budget with which verdicts could be given.

        Args:
            seconds_before: From the start of the process to that of the comparison.
        """
        if self.is_judged or not self.seconds_needed:
            return self
        seconds = (MARGIN * (seconds_before + self.seconds_needed) + RESERVE) / (1 - RESERVE_SHARE)
        return replace(self, enough=f"--budget {_duration(seconds)}")


def _duration(seconds: float) -> str:
    """A budget of at least these seconds, in the command line's own form."""
    return f"{math.ceil(seconds / 10) * 10}s" if seconds < MINUTES_FROM else f"{math.ceil(seconds / 60)}m"

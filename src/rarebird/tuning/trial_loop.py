"""The driver of a search: asks the study for trials, hands them to an executor, and tells their values as they come.

It alone writes the study, so that a trial stands there once, whatever happens to those that work on it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rarebird.core.checks import DataError
from rarebird.executors.executor import Done, Event, Executor, Lost, Said
from rarebird.tuning.study import Asked, Study
from rarebird.tuning.trial import Task

# Seconds between two looks at the clock and at whether the user ends the search, while trials run elsewhere.
LOOK = 0.2
# A trial may take so much longer than it was given before it is given up: its worker may be stuck.
OVERTIME = 1.5

Tell = Callable[[float, str], bool]


@dataclass
class Driver:
    """A search's loop.

    Attributes:
        study: Where trials are asked for and recorded.
        executor: Where they run, `search.trial.trial` on `search.trial.Task`.
        most: How many trials there will be; None: as many as the time allows.
        deadline: When no trial begins any more, on the scale of `time.monotonic`; None: no limit.
        longest: Seconds that a trial may take; None: as long as its recipe says.
        prunes: Whether trials tell their value after each part, and may be ended by it.
    """

    study: Study
    executor: Executor
    most: int | None = None
    deadline: float | None = None
    longest: float | None = None
    prunes: bool = False
    _under_way: dict[int, Asked] = field(default_factory=dict)
    _begun: int = 0

    def run(self, tell: Tell) -> None:
        """Trials until there are enough of them, the time is over, or `tell` ends them."""
        start, goes_on = time.monotonic(), True
        self._begun = self.study.begun()
        while True:
            if tell(self._share(start), self._title()) or self._is_late():
                self._give_up()
                return
            goes_on = goes_on and self._fill()
            if not goes_on and not self._under_way:
                return
            for event in self.executor.wait(LOOK):
                self._take(event)

    def _fill(self) -> bool:
        """Begin a trial on each free worker; False where no more is to begin."""
        while self.executor.free:
            # Where other processes are at the same study, more trials were begun than this one knows of, which `ask`
            # finds.
            enough = self.most is not None and self._begun >= self.most
            if enough or (self.deadline is not None and time.monotonic() >= self.deadline):
                return False
            asked = self.study.ask(self.most)
            if asked is None:
                return False
            self._begun = max(self._begun + 1, asked.place + 1)
            self._under_way[asked.number] = asked
            self.executor.start(asked.number, Task(asked.recipe, self.longest, self.prunes))
        return True

    def _take(self, event: Event) -> None:
        """Record what came of a trial."""
        asked = self._under_way[event.key]
        if isinstance(event, Said):
            asked.report(*event.value)
            if not asked.is_pruned():
                return
            self.executor.drop(event.key)
            asked.prune()
        elif isinstance(event, Done):
            asked.tell(*event.value)
        elif isinstance(event, Lost):
            asked.fail(f"The trial could not be carried out: {event.reason}")
        elif isinstance(event.error, DataError):
            # A recipe that diverges, or that these rows cannot serve, is a result of the search and not its end.
            asked.fail(str(event.error))
        else:
            raise event.error
        del self._under_way[event.key]

    def _give_up(self) -> None:
        """End the trials under way; they count as never begun."""
        for number, asked in self._under_way.items():
            self.executor.drop(number)
            asked.withdraw()
        self._under_way.clear()

    def _is_late(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline + OVERTIME * (self.longest or math.inf)

    def _share(self, start: float) -> float:
        """How much of the search is done, 0..1."""
        done = self._begun - len(self._under_way)
        if self.most:
            return min(1.0, done / self.most)
        return 0.0 if self.deadline is None else min(1.0, (time.monotonic() - start) / max(1e-9, self.deadline - start))

    def _title(self) -> str:
        shown = self._begun + (not self._under_way)
        return f"trial {min(shown, self.most)} of {self.most}" if self.most else f"trial {shown}"

"""The loop of a search: asks the study for trials, runs them on an executor, and records their values.

Only this loop writes the study, so that each trial is recorded once, whatever happens to the workers.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scipy import special

from rarebird.core import events
from rarebird.core.checks import DataError
from rarebird.core.progress import Progress, silent
from rarebird.executors.executor import Executor, Returned, WorkerLost
from rarebird.executors.work_loop import Ended, work_loop
from rarebird.tuning.study import OpenTrial, Study
from rarebird.tuning.trial import TrialTask

# A trial that has taken this many times its longest duration after the deadline is ended: its worker may hang.
OVERTIME = 1.5


@dataclass
class TrialLoop:
    """The jobs of a search, for `work_loop`.

    Attributes:
        study: Proposes and records the trials.
        executor: Runs `tuning.trial.trial` on `tuning.trial.TrialTask`.
        most: The number of trials; None: as many as the time allows.
        deadline: When the last trial may begin, on the scale of `time.monotonic`; None: no limit.
        longest: Seconds that a trial may take; None: as long as its recipe's steps or epochs take.
        prunes: Whether trials report their value after each part and may be ended then.
        progress: Told of the share done; True from it ends the search.
    """

    study: Study
    executor: Executor
    most: int | None = None
    deadline: float | None = None
    longest: float | None = None
    prunes: bool = False
    progress: Progress = silent
    _start: float = field(default=0.0, init=False)
    _begun: int = field(default=0, init=False)
    _running: int = field(default=0, init=False)
    _interrupted: bool = field(default=False, init=False)
    _best: float | None = field(default=None, init=False)

    def run(self) -> None:
        """Run trials until there are enough of them, the time is over, or `progress` ends the search."""
        self._start, self._begun = time.monotonic(), self.study.begun()
        values = [trial.value for trial in self.study.finished()]
        self._best = (max if self.study.larger_is_better else min)(values) if values else None
        work_loop(self.executor, self)

    def next_job(self) -> tuple[OpenTrial, TrialTask] | None:
        """As `Jobs` defines it."""
        # If other processes work on the same study, more trials may have begun than this one knows of; `ask` finds out.
        enough = self.most is not None and self._begun >= self.most
        if self._interrupted or enough or (self.deadline is not None and time.monotonic() >= self.deadline):
            return None
        trial = self.study.ask(self.most)
        if trial is None:
            return None
        self._begun = max(self._begun + 1, trial.place + 1)
        self._running += 1
        return trial, TrialTask(trial.recipe, self.longest, self.prunes)

    def is_interrupted(self) -> bool:
        """As `Jobs` defines it: whether the user ends the search, or a trial takes far too long."""
        asked = self.progress(self._share(), self._title())
        self._interrupted = self._interrupted or asked or self._is_late()
        return self._interrupted

    def yielded(self, job: OpenTrial, value: Any) -> bool:
        """As `Jobs` defines it: records the value so far; False if the trial is pruned."""
        job.report(*value)
        if not job.is_pruned():
            return True
        job.prune()
        self._running -= 1
        return False

    def ended(self, job: OpenTrial, event: Ended) -> None:
        """As `Jobs` defines it: records the result."""
        self._running -= 1
        if isinstance(event, Returned):
            job.tell(*event.value)
            self._tell(job, *event.value)
        elif isinstance(event, WorkerLost):
            job.fail(f"The trial could not be carried out: {event.reason}")
        elif isinstance(event.error, DataError):
            # A recipe that diverges, or does not fit these rows, is a result of the search and does not end it.
            job.fail(str(event.error))
        else:
            raise event.error

    def dropped(self, job: OpenTrial) -> None:
        """As `Jobs` defines it: the trial counts as never begun."""
        self._running -= 1
        job.withdraw()

    def _tell(self, job: OpenTrial, value: float, notes: Mapping[str, Any]) -> None:
        """Tell those who watch of a trial, and of the best one if it is that."""
        if not events.is_heard():
            return
        low, high = over_parts(notes.get("values", ()))
        scored = {"name": f"trial {job.number}", "metric": self.study.metric, "value": value, "low": low, "high": high}
        settings, recipe = dict(job.trial.params), job.recipe.to_toml()
        events.emit("trial", **scored, role="trial", seconds=notes.get("seconds"), settings=settings, recipe=recipe)
        sign = 1 if self.study.larger_is_better else -1
        if self._best is None or sign * value > sign * self._best:
            self._best = value
            events.emit("best", **scored)

    def _is_late(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline + OVERTIME * (self.longest or math.inf)

    def _share(self) -> float:
        """The share of the search that is done, 0..1."""
        done = self._begun - self._running
        if self.most:
            return min(1.0, done / self.most)
        if self.deadline is None:
            return 0.0
        return min(1.0, (time.monotonic() - self._start) / max(1e-9, self.deadline - self._start))

    def _title(self) -> str:
        shown = self._begun + (not self._running)
        return f"trial {min(shown, self.most)} of {self.most}" if self.most else f"trial {shown}"


def over_parts(values: Sequence[float]) -> tuple[float, float]:
    """A 95 % interval of the mean over parts, by Student's distribution; NaN for one part. Parts share training rows,
    so that it is rather too narrow."""
    known = [value for value in values if math.isfinite(value)]
    if len(known) < 2:
        return math.nan, math.nan
    mean = statistics.fmean(known)
    half = float(special.stdtrit(len(known) - 1, 0.975)) * statistics.stdev(known) / math.sqrt(len(known))
    return mean - half, mean + half

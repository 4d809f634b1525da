"""A race of candidates within a deadline, one per worker at a time. Candidates surely worse than the best leave.

After each rung a candidate is compared with the best finished one on the same held-out rows. It leaves if it is worse
by more than twice the standard error of the paired difference (Maron and Moore, "Hoeffding races", NeurIPS 1993).
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from rarebird.automl.candidate import (
    LISTED,
    TOO_LATE,
    Candidate,
    PartialResult,
    TrainingContext,
    TrialSpec,
    losses_among,
    train_candidate,
    train_candidate_elsewhere,
)
from rarebird.automl.criterion import is_worse, loss
from rarebird.automl.portfolio import PortfolioEntry
from rarebird.automl.trial_events import tell_finished
from rarebird.core import events
from rarebird.core.checks import DataError, LateError
from rarebird.core.progress import Progress
from rarebird.executors.executor import Closing, Executor, Returned, WorkerLost
from rarebird.executors.work_loop import Ended, work_loop
from rarebird.executors.workers import ONE, Workers
from rarebird.training.part_seconds import scoring_seconds

# If fewer seconds are left, no new candidate starts.
LEAST_SECONDS = 0.5
# Seconds granted to an entry that must be trained, however late it is: any model is worth them.
LATE_SECONDS = 5.0
# Minimum time granted to a recipe even if its share of the remaining time is smaller.
GRANTED_SECONDS = 2.0
# A candidate leaves before its last part if it is worse by this number of standard errors of the paired difference.
LEAVES = 2.0
# Seconds after the deadline at which candidates in other processes are abandoned.
GRACE = 2.0
ENDED = "it was ended"


class Log(Protocol):
    """Records the outcome of each trial before the next one starts."""

    def record(self, entry: PortfolioEntry, candidate: Candidate) -> None:
        """Record an entry that was trained on all parts."""
        ...

    def drop(self, entry: PortfolioEntry, why: str) -> None:
        """Record an entry that was not trained on all parts, and why."""
        ...


class NoLog:
    """Records nothing."""

    def record(self, entry: PortfolioEntry, candidate: Candidate) -> None:
        """Do nothing."""

    def drop(self, entry: PortfolioEntry, why: str) -> None:
        """Do nothing."""


@dataclass
class Race(Closing):
    """A race, to be used as a ``with`` block, or closed with `close`.

    Attributes:
        context: What all candidates share.
        deadline: When training and the prediction of the test rows must have ended, on the scale of `time.monotonic`.
            Infinite: no limit, and nothing is measured, so that a race can be repeated exactly.
        progress: Called with the share of the time and a description; if it returns True, the race ends.
        log: Each result is recorded there before the next training starts.
        workers: Where candidates train.
        finished: Candidates that were trained on all parts.
        left: Name -> why a candidate was not tried, or left.
        late: Names of those for which there was too little time.
        ended: Whether the user ended the race.
        most: How many parts the first candidate was trained on, where there was too little time for all: the others are
            trained on the same ones, so that they are compared on the same rows. None: all parts.
    """

    context: TrainingContext
    deadline: float
    progress: Progress
    log: Log = field(default_factory=NoLog)
    workers: Workers = ONE
    finished: list[Candidate] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    late: set[str] = field(default_factory=set)
    ended: bool = False
    most: int | None = None

    def __post_init__(self) -> None:
        self.begun = time.monotonic()
        # Entries of an earlier process: names and seeds of the finished ones, names of those that left.
        self._finished_before: set[tuple[str, int]] = set()
        self._left_before: set[str] = set()
        elsewhere, context = self.workers.elsewhere, self.context
        self._executor: Executor = self.workers.executor(
            train_candidate_elsewhere if elsewhere else train_candidate,
            context if elsewhere else replace(context, progress=self.tell),
            context.threads or 1,
            context.setup.device,
        )

    def close(self) -> None:
        """End all trainings."""
        self._executor.close()

    @property
    def best(self) -> Candidate | None:
        """The finished candidate with the smallest loss."""
        return min(self.finished, key=lambda one: one.loss, default=None)

    def time_left(self) -> float:
        """Seconds left for training: those until the deadline minus those to predict the test rows with all finished
        candidates."""
        splits = self.context.setup.splits
        test = 0 if splits.test is None else len(splits.test)
        testing = test * (sum(one.per_row for one in self.finished) + scoring_seconds(splits.train.n_classes))
        return self.deadline - time.monotonic() - testing

    def is_late(self) -> bool:
        """Whether candidates that train in other processes must be abandoned."""
        return time.monotonic() > self.deadline + GRACE

    def resume(self, finished: Iterable[Candidate], left: Mapping[str, str]) -> None:
        """Take over the results of an earlier process; these entries are not trained again."""
        self.finished += finished
        self.left |= left
        incomplete = (len(one.models.trained) for one in self.finished if one.models.ended_by_clock)
        self.most = next(incomplete, self.most)
        self._finished_before = {(one.name, one.models.recipe.seed) for one in self.finished}
        self._left_before = set(left)

    def is_known(self, entry: PortfolioEntry) -> bool:
        """Whether an earlier process has tried an entry."""
        if entry.partial:
            return False
        return entry.name in self._left_before or (entry.name, entry.recipe.seed) in self._finished_before

    def release(self, candidate: Candidate) -> None:
        """Release the networks of a finished candidate; keep its held-out predictions."""
        self.finished[self.finished.index(candidate)] = candidate.released()

    def run(self, entries: Iterable[PortfolioEntry]) -> list[Candidate]:
        """Train entries, each as soon as a worker is free. Surely worse entries, and those without enough time, leave.

        Args:
            entries: Read one at a time, so that the next one may depend on the results so far.

        Returns:
            The candidates that were trained on all parts, including short trainings, in the order in which they ended.

        Raises:
            DataError: An entry that must be trained cannot be.
        """
        jobs = _RaceJobs(self, iter(entries))
        work_loop(self._executor, jobs)
        return jobs.trained

    def leave(self, entry: PortfolioEntry, why: str, late: bool = False) -> None:
        """Record that an entry leaves, in the log and for the report, and whether there was too little time for it."""
        self.late |= {entry.name} if late else set()
        if entry.role in LISTED:
            self.left[entry.name] = why
        self.log.drop(entry, why)
        events.emit("left", name=entry.name, why=why)

    def is_beaten(self, partial: PartialResult) -> bool:
        """Whether a candidate is surely worse than the best one, both known by the rows that it has held out so far."""
        best = self.best
        if best is None:
            return False
        rival = losses_among(self.context, best, np.isfinite(partial.losses))
        worse = loss(partial.losses) > loss(rival)
        return worse and is_worse(partial.losses, rival, self.context.criterion.group, LEAVES)

    def tell(self, name: str, what: str) -> bool:
        """Report what a candidate is doing; True if the user ends the race."""
        share = min(1.0, (time.monotonic() - self.begun) / max(self.deadline - self.begun, 1e-9))
        self.ended = self.progress(share, f"{name}: {what}") or self.ended
        return self.ended


@dataclass
class _RaceJobs:
    """Entries of a race as jobs of the work loop, which calls the methods without an underscore.

    Attributes:
        race: The race.
        entries: Entries that have not started.
        trained: The candidates that were trained on all parts.
        running: Names of the entries that are being trained.
    """

    race: Race
    entries: Iterator[PortfolioEntry]
    trained: list[Candidate] = field(default_factory=list)
    running: list[str] = field(default_factory=list)

    def next_job(self) -> tuple[PortfolioEntry, TrialSpec] | None:
        race = self.race
        while not race.ended and (entry := next(self.entries, None)) is not None:
            left = race.time_left()
            if race.is_known(entry):
                continue
            if left < LEAST_SECONDS and not entry.must:
                race.leave(entry, TOO_LATE, late=True)
                continue
            self.running.append(entry.name)
            least = LATE_SECONDS if entry.must else LEAST_SECONDS
            return entry, self._spec(entry, max(entry.share * left, min(GRANTED_SECONDS, left), least))
        return None

    def is_interrupted(self) -> bool:
        race = self.race
        is_waiting = not self.running and not race._executor.free
        if not race.workers.elsewhere or not (self.running or is_waiting):
            return False
        race.tell(", ".join(dict.fromkeys(self.running)) or "waiting for a worker", "training")
        # A running first candidate is not interrupted: without it there is no model.
        return (bool(race.finished) or not self.running) and (race.ended or race.is_late())

    def yielded(self, job: PortfolioEntry, value: PartialResult) -> bool:
        if not self.race.is_beaten(value):
            return True
        done, parts = value.parts
        best = self.race.best
        self.running.remove(job.name)
        self.race.leave(job, f"it was surely worse than {best.name if best else ''} after {done} of {parts} parts")
        return False

    def ended(self, job: PortfolioEntry, event: Ended) -> None:
        self.running.remove(job.name)
        if isinstance(event, Returned):
            self._finish(job, pickle.loads(event.value) if isinstance(event.value, bytes) else event.value)
        elif isinstance(event, WorkerLost):
            self.race.leave(job, f"it could not be trained: {event.reason}")
        elif isinstance(event.error, DataError) and not job.must:
            self.race.leave(job, str(event.error), isinstance(event.error, LateError))
        else:
            raise event.error

    def dropped(self, job: PortfolioEntry) -> None:
        self.running.remove(job.name)
        self.race.log.drop(job, ENDED if self.race.ended and not self.race.is_late() else TOO_LATE)

    def _spec(self, entry: PortfolioEntry, seconds: float) -> TrialSpec:
        spec = TrialSpec(
            entry.name,
            entry.recipe,
            enough=0.0 if entry.must else entry.enough,
            yields=not (entry.stays or entry.must),
            is_reference=entry.is_reference,
            most=self.race.most,
        )
        if not np.isfinite(seconds):
            return spec
        # A process that has not started yet begins its entry late, so that a deadline is needed beside the seconds.
        deadline = time.monotonic() + seconds if self.race.workers.cluster is None else None
        return replace(spec, seconds=seconds, deadline=deadline)

    def _finish(self, entry: PortfolioEntry, candidate: Candidate) -> None:
        """Keep a candidate that was trained on all parts; if the user ended it early, only if it is the first."""
        race = self.race
        if candidate.models.ended_by_user and race.finished:
            race.log.drop(entry, ENDED)
            return
        if candidate.models.ended_by_clock and not self._keeps_incomplete(candidate):
            race.leave(entry, TOO_LATE)
            return
        candidate = replace(candidate, role=entry.role, parent=entry.parent, settings=dict(entry.settings))
        if not np.isfinite(candidate.loss):
            race.leave(entry, "it predicted no row that can be scored")
            return
        if not entry.partial:
            race.left.pop(entry.name, None)
            race.finished.append(candidate)
        race.log.record(entry, candidate)
        tell_finished(candidate, race.finished, race.context.criterion.group)
        self.trained.append(candidate)

    def _keeps_incomplete(self, candidate: Candidate) -> bool:
        """Whether a candidate of which some parts were left out is kept: the first one, and those with its parts."""
        parts = len(candidate.models.trained)
        if not self.race.finished:
            self.race.most = parts
        return parts == self.race.most

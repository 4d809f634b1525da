"""Candidates against each other within a deadline, as many at once as there are workers; the surely worse leave.

After each rung a candidate is compared with the best one so far on the very same held-out rows, and leaves where it is
worse by more than twice the standard error of the paired difference (Maron and Moore, "Hoeffding races", NeurIPS 1993).
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Protocol, Self

import numpy as np

from rarebird.automl.candidate import (
    TOO_LATE,
    Candidate,
    PartialResult,
    TrainingContext,
    TrialSpec,
    train_candidate,
    train_candidate_elsewhere,
)
from rarebird.automl.criterion import is_worse, loss
from rarebird.automl.portfolio import PortfolioEntry
from rarebird.core.checks import DataError
from rarebird.core.progress import Progress
from rarebird.executors.executor import Executor, Returned, WorkerLost
from rarebird.executors.work_loop import Ended, work_loop
from rarebird.executors.workers import ONE, Workers
from rarebird.training.cross_fit import SCORING_SECONDS

# With fewer seconds left than this, nothing new begins.
LEAST_SECONDS = 0.5
# Minimum time granted to a recipe even if its share of the remaining time is smaller.
GRANTED_SECONDS = 2.0
# A candidate leaves before its last part where it is worse by this many standard errors of the paired difference.
LEAVES = 2.0
# Seconds after the deadline at which candidates that train elsewhere are given up.
GRACE = 2.0
ENDED = "it was ended"


class Log(Protocol):
    """Records the outcome of each trial before the next one starts."""

    def record(self, entry: PortfolioEntry, candidate: Candidate) -> None:
        """An entry was trained on all parts."""
        ...

    def drop(self, entry: PortfolioEntry, why: str) -> None:
        """An entry was not."""
        ...


class NoLog:
    """Records nothing."""

    def record(self, entry: PortfolioEntry, candidate: Candidate) -> None:
        """As `Log` asks for."""

    def drop(self, entry: PortfolioEntry, why: str) -> None:
        """As `Log` asks for."""


@dataclass
class Race:
    """A race, to be used as a ``with`` block, or closed with `close`.

    Attributes:
        context: What all candidates share.
        deadline: When training must have ended, on the scale of `time.monotonic`; the time to predict the test rows is
            taken off as it adds up. Infinite: no limit, and nothing is measured, so that a race repeats.
        progress: Told of the share of the time and of what is being done; True from it ends the race.
        log: Where everything is recorded at once.
        workers: Where candidates train.
        finished: Candidates that were trained on all parts.
        left: Name -> why a candidate was not tried, or left.
        ended: Whether the user ended the race.
    """

    context: TrainingContext
    deadline: float
    progress: Progress
    log: Log = field(default_factory=NoLog)
    workers: Workers = ONE
    finished: list[Candidate] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    ended: bool = False

    def __post_init__(self) -> None:
        self.begun = time.monotonic()
        self._known: set[tuple[str, int]] = set()
        self._gone: set[str] = set()
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def best(self) -> Candidate | None:
        """The finished candidate of least loss."""
        return min(self.finished, key=lambda one: one.loss, default=None)

    def time_left(self) -> float:
        """Seconds for training: those to the deadline less those that the finished candidates need for the test
        rows."""
        splits = self.context.setup.splits
        test = 0 if splits.test is None else len(splits.test)
        testing = test * (sum(one.per_row for one in self.finished) + SCORING_SECONDS * max(splits.train.n_classes, 1))
        return self.deadline - time.monotonic() - testing

    def is_late(self) -> bool:
        """Whether candidates that train elsewhere must be given up."""
        return time.monotonic() > self.deadline + GRACE

    def resume(self, finished: Iterable[Candidate], left: Mapping[str, str]) -> None:
        """Take over the results of an earlier process; these entries are not trained again."""
        self.finished += finished
        self.left |= left
        self._known = {(one.name, one.models.recipe.seed) for one in self.finished}
        self._gone = set(left)

    def is_known(self, entry: PortfolioEntry) -> bool:
        """Whether an earlier process has tried an entry."""
        return not entry.partial and (entry.name in self._gone or (entry.name, entry.recipe.seed) in self._known)

    def release(self, candidate: Candidate) -> None:
        """Give up the networks of a finished candidate."""
        self.finished[self.finished.index(candidate)] = candidate.released()

    def run(self, entries: Iterable[PortfolioEntry]) -> list[Candidate]:
        """Train entries, each as soon as a worker is free for it; what is not worth it, or has no time, leaves.

        Args:
            entries: Drawn one at a time, so that the next one may depend on the results so far.

        Returns:
            The candidates that were trained on all parts, short trainings among them, in the order in which they ended.

        Raises:
            DataError: An entry that must be trained cannot be.
        """
        heat = _Heat(self, iter(entries))
        work_loop(self._executor, heat)
        return heat.trained

    def leave(self, entry: PortfolioEntry, why: str) -> None:
        """An entry leaves, for the report and the log."""
        # A proposal of a search is one of many, and a repeat's recipe is in the report already; the log has them.
        if entry.role in ("default", "portfolio"):
            self.left[entry.name] = why
        self.log.drop(entry, why)

    def is_beaten(self, partial: PartialResult) -> bool:
        """Whether a candidate is surely worse than the best one on the rows that it has held out so far."""
        best = self.best
        if best is None:
            return False
        known = np.isfinite(partial.losses)
        worse = loss(partial.losses) > loss(np.where(known, best.losses, np.nan))
        return worse and is_worse(partial.losses, best.losses, LEAVES)

    def tell(self, name: str, what: str) -> bool:
        """Pass on what a candidate is doing; True where the user ends the race."""
        now = time.monotonic()
        share = min(1.0, (now - self.begun) / max(self.deadline - self.begun, 1e-9))
        self.ended = self.progress(share, f"{name}: {what}") or self.ended
        return self.ended


@dataclass
class _Heat:
    """Some entries of a race, as jobs of the work loop.

    Attributes:
        race: The race.
        entries: Those that are to come.
        trained: The candidates that were trained on all parts.
        running: Names of the entries under way.
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
                race.leave(entry, TOO_LATE)
                continue
            self.running.append(entry.name)
            return entry, self._spec(entry, max(entry.share * left, min(GRANTED_SECONDS, left), LEAST_SECONDS))
        return None

    def is_interrupted(self) -> bool:
        race = self.race
        if not race.workers.elsewhere:
            return False
        race.tell(", ".join(dict.fromkeys(self.running)) or "waiting for a worker", "training")
        # A running first candidate is waited for: without it there is nothing to ship.
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
            self._arrived(job, pickle.loads(event.value) if isinstance(event.value, bytes) else event.value)
        elif isinstance(event, WorkerLost):
            self.race.leave(job, f"it could not be trained: {event.reason}")
        elif isinstance(event.error, DataError) and not job.must:
            self.race.leave(job, str(event.error))
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
        )
        if not np.isfinite(seconds):
            return spec
        # A process that has yet to start begins its entry late.
        deadline = time.monotonic() + seconds if self.race.workers.cluster is None else None
        return replace(spec, seconds=seconds, deadline=deadline)

    def _arrived(self, entry: PortfolioEntry, candidate: Candidate) -> None:
        """A candidate was trained on all parts, or ended by the user; of the latter only the first is kept."""
        race = self.race
        if candidate.models.ended_by_user and race.finished:
            race.log.drop(entry, ENDED)
            return
        candidate = replace(candidate, role=entry.role, parent=entry.parent, settings=dict(entry.settings))
        if not np.isfinite(candidate.loss):
            race.leave(entry, "it predicted nothing that can be judged")
            return
        if not entry.partial:
            race.left.pop(entry.name, None)
            race.finished.append(candidate)
        race.log.record(entry, candidate)
        self.trained.append(candidate)

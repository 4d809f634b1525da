"""Candidates against each other within a deadline: one after the other, or as many at once as there are workers; the
surely worse leave.

After each rung a candidate is compared with the best one so far on the very same held-out rows, and leaves where it is
worse by more than twice the standard error of the paired difference (Maron and Moore, "Hoeffding races", NeurIPS 1993).
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Protocol, Self

import numpy as np

from rarebird.automl.candidate import Candidate
from rarebird.automl.contest import TOO_LATE, Contest, Heat, SoFar, compete, compete_elsewhere
from rarebird.automl.ensemble_selection import is_worse, loss
from rarebird.automl.entry import Entry
from rarebird.core.checks import DataError
from rarebird.executors.executor import Done, Event, Executor, Lost, Said
from rarebird.executors.workers import ONE, Workers
from rarebird.training.cross_fit import SCORING

# Seconds below which nothing new is begun.
LEAST_SECONDS = 0.5
# So many seconds may be taken whatever the share, where there are as many: of a short time a share would be too little
# for anything.
GRANTED_SECONDS = 2.0
# Standard errors of the paired difference beyond which a candidate leaves before it is through.
LEAVES = 2.0
# Seconds between two looks at the clock and at whether the user ends the race, while candidates train elsewhere.
LOOK = 0.2
# Seconds after the deadline at which candidates that train elsewhere are given up.
GRACE = 2.0


class Log(Protocol):
    """Where what came of an entry is recorded, before the next one begins."""

    def record(self, entry: Entry, candidate: Candidate) -> None:
        """An entry went through all parts."""
        ...

    def drop(self, entry: Entry, why: str) -> None:
        """An entry did not."""
        ...


class Nowhere:
    """Records nothing."""

    def record(self, entry: Entry, candidate: Candidate) -> None:
        """As `Log` asks for."""

    def drop(self, entry: Entry, why: str) -> None:
        """As `Log` asks for."""


@dataclass
class Race:
    """A race under way; it is left with `close`, or as a ``with`` block.

    Attributes:
        contest: What all candidates share.
        deadline: When training must have ended, on the scale of `time.monotonic`; judging the test rows is taken off as
            it adds up. Infinite: no limit, and nothing is measured, so that a race repeats.
        tell: Told of the progress 0..1 and of what is being done; True from it ends the race.
        log: Where everything is recorded at once.
        workers: Where candidates train.
        finished: Candidates that went through all parts.
        left: Name -> why a candidate was not tried, or left.
        ended: Whether the user ended the race.
    """

    contest: Contest
    deadline: float
    tell: Callable[[float, str], bool]
    log: Log = field(default_factory=Nowhere)
    workers: Workers = ONE
    finished: list[Candidate] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    ended: bool = False

    def __post_init__(self) -> None:
        self.begun = time.monotonic()
        self._under_way: dict[int, Entry] = {}
        self._keys = 0
        self._known: set[tuple[str, int]] = set()
        self._gone: set[str] = set()
        elsewhere = self.workers.elsewhere
        self._executor: Executor = self.workers.executor(
            compete_elsewhere if elsewhere else compete,
            self.contest if elsewhere else replace(self.contest, report=self._said),
            self.contest.threads or 1,
            self.contest.ground.device,
        )

    def close(self) -> None:
        """End what is under way."""
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
        """Seconds for training, without those that the judging of the test rows by the finished candidates will
        take."""
        splits = self.contest.ground.splits
        test = 0 if splits.test is None else len(splits.test)
        judging = test * (sum(one.per_row for one in self.finished) + SCORING * max(splits.train.n_classes, 1))
        return self.deadline - time.monotonic() - judging

    def go_on_with(self, finished: Iterable[Candidate], left: Mapping[str, str]) -> None:
        """Take over what came of entries in an earlier process; they are not trained again."""
        self.finished += finished
        self.left |= left
        self._known = {(one.name, one.team.recipe.seed) for one in self.finished}
        self._gone = set(left)

    def run(self, entries: Iterable[Entry]) -> list[Candidate]:
        """Train entries, each as soon as a worker is free for it; what is not worth it, or has no time, leaves.

        Args:
            entries: Drawn one at a time, so that what comes next may depend on what has come so far.

        Returns:
            The candidates that went through, short courses among them, in the order in which they ended.

        Raises:
            DataError: An entry that must be trained cannot be.
        """
        source, came = iter(entries), list[Candidate]()
        goes_on = True
        while True:
            goes_on = goes_on and self._fill(source)
            if not self._under_way:
                return came
            for event in self._executor.wait(LOOK):
                candidate = self._taken(event)
                came += [] if candidate is None else [candidate]
            if self.workers.elsewhere:
                self._look()

    def _fill(self, source: Iterator[Entry]) -> bool:
        """Begin an entry on each free worker; False where none is to begin any more."""
        while self._executor.free:
            entry = None if self.ended else next(source, None)
            if entry is None:
                return False
            left = self.time_left()
            if self._is_known(entry):
                continue
            if left < LEAST_SECONDS and not entry.must:
                self._leaves(entry, TOO_LATE)
                continue
            self._begin(entry, max(entry.share * left, min(GRANTED_SECONDS, left), LEAST_SECONDS))
        return True

    def _begin(self, entry: Entry, seconds: float) -> None:
        self._keys += 1
        self._under_way[self._keys] = entry
        heat = Heat(
            entry.name,
            entry.recipe,
            enough=0.0 if entry.must else entry.enough,
            tells=not (entry.stays or entry.must),
            is_reference=entry.is_reference,
        )
        if np.isfinite(seconds):
            # A process that has yet to start begins its entry late.
            deadline = time.monotonic() + seconds if self.workers.cluster is None else None
            heat = replace(heat, seconds=seconds, deadline=deadline)
        self._executor.start(self._keys, heat)

    def _is_known(self, entry: Entry) -> bool:
        """Whether an entry has been tried before, in a race that this one goes on with."""
        return not entry.partial and (entry.name in self._gone or (entry.name, entry.recipe.seed) in self._known)

    def _taken(self, event: Event) -> Candidate | None:
        """The candidate that an event brings, if it does."""
        entry = self._under_way[event.key]
        if isinstance(event, Said):
            so_far: SoFar = event.value
            if self._is_beaten(so_far):
                self._executor.drop(event.key)
                del self._under_way[event.key]
                done, parts = so_far.parts
                self._leaves(
                    entry,
                    f"it was surely worse than {self.best.name if self.best else ''} after {done} of {parts} parts",
                )
            return None
        del self._under_way[event.key]
        if isinstance(event, Done):
            return self._arrived(entry, pickle.loads(event.value) if isinstance(event.value, bytes) else event.value)
        if isinstance(event, Lost):
            self._leaves(entry, f"it could not be trained: {event.reason}")
        elif isinstance(event.error, DataError) and not entry.must:
            self._leaves(entry, str(event.error))
        else:
            raise event.error
        return None

    def _arrived(self, entry: Entry, candidate: Candidate) -> Candidate | None:
        """A candidate that is through, or was ended by the user; of the latter only the first is kept."""
        if candidate.team.ended_by_user and self.finished:
            self.log.drop(entry, "it was ended")
            return None
        candidate.settings = dict(entry.settings)
        if not np.isfinite(candidate.loss):
            self._leaves(entry, "it predicted nothing that can be judged")
            return None
        if not entry.partial:
            self.left.pop(entry.name, None)
            self.finished.append(candidate)
        self.log.record(entry, candidate)
        return candidate

    def _leaves(self, entry: Entry, why: str) -> None:
        # What a search proposed is one of many, and a repeat is of a recipe that is through; the log has them.
        if not entry.settings and not any(one.name == entry.name for one in self.finished):
            self.left[entry.name] = why
        self.log.drop(entry, why)

    def _is_beaten(self, so_far: SoFar) -> bool:
        """Whether a candidate is surely worse than the best one on the rows that it has held out so far."""
        best = self.best
        if best is None:
            return False
        known = np.isfinite(so_far.losses)
        return is_worse(so_far.losses, best.losses, LEAVES) and loss(so_far.losses) > loss(
            np.where(known, best.losses, np.nan)
        )

    def _said(self, name: str, what: str) -> bool:
        """Passes on what a candidate in this process is doing, and the user's answer."""
        self.ended = self.tell(self._progress(), f"{name}: {what}") or self.ended
        return self.ended

    def _look(self) -> None:
        """Ask the user, and give up candidates that train elsewhere where it is time to; the first one is waited
        for."""
        names = list(dict.fromkeys(entry.name for entry in self._under_way.values()))
        if names:
            self._said(", ".join(names), "training")
        late = time.monotonic() > self.deadline + GRACE
        if self.finished and (self.ended or late):
            for key, entry in self._under_way.items():
                self._executor.drop(key)
                self.log.drop(entry, TOO_LATE if late else "it was ended")
            self._under_way.clear()

    def _progress(self) -> float:
        now = time.monotonic()
        return min(1.0, (now - self.begun) / max(self.deadline - self.begun, 1e-9))

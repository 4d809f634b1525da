"""The loop of every search: fills free workers with jobs, waits, and hands each event to whoever asked for the job."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from rarebird.executors.executor import Executor, Failed, Returned, WorkerLost, Yielded

# Seconds between two questions whether the search should end, while jobs run in other processes.
ASK_EVERY = 0.2

JobT = TypeVar("JobT")
Ended = Returned | Failed | WorkerLost


class Jobs(Protocol[JobT]):
    """What a search gives to the loop: its jobs, and what happens with their results."""

    def next_job(self) -> tuple[JobT, Any] | None:
        """The next job and the item that a worker gets for it; None: no more job begins."""
        ...

    def is_interrupted(self) -> bool:
        """Whether all jobs under way must end now: asked before each wait."""
        ...

    def yielded(self, job: JobT, value: Any) -> bool:
        """A job yielded a value; False ends the job."""
        ...

    def ended(self, job: JobT, event: Ended) -> None:
        """A job returned a value, raised an error, or lost its workers."""
        ...

    def dropped(self, job: JobT) -> None:
        """A job was ended by an interruption."""
        ...


def work_loop(executor: Executor, jobs: Jobs[JobT]) -> None:
    """Run jobs until there are none left; each begins as soon as a worker is free for it.

    Args:
        executor: Where they run; it stays open.
        jobs: Asked for jobs, told of their events.
    """
    running: dict[int, JobT] = {}
    begun, more = 0, True
    while True:
        if jobs.is_interrupted():
            for key, job in running.items():
                executor.drop(key)
                jobs.dropped(job)
            running.clear()
        while more and executor.free:
            given = jobs.next_job()
            if given is None:
                more = False
                break
            begun += 1
            running[begun] = given[0]
            executor.start(begun, given[1])
        if not running:
            return
        for event in executor.wait(ASK_EVERY):
            if not isinstance(event, Yielded):
                jobs.ended(running.pop(event.key), event)
            elif not jobs.yielded(running[event.key], event.value):
                executor.drop(event.key)
                del running[event.key]

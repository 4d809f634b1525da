"""The loop of every search: starts a job on each free worker, waits, and gives each event to the search."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from rarebird.executors.executor import Executor, Failed, Returned, WorkerLost, Yielded

# Longest wait for an event, in seconds; after each wait the search is asked whether it is interrupted.
ASK_EVERY = 0.2

JobT = TypeVar("JobT")
Ended = Returned | Failed | WorkerLost


class Jobs(Protocol[JobT]):
    """A search, as the loop sees it: it gives the jobs and takes their events."""

    def next_job(self) -> tuple[JobT, Any] | None:
        """The next job and the item that a worker gets for it; None: no more job begins, and the loop does not ask
        again."""
        ...

    def is_interrupted(self) -> bool:
        """Whether all running jobs must end now: asked before each wait.

        The loop itself goes on as long as `next_job` gives jobs.
        """
        ...

    def yielded(self, job: JobT, value: Any) -> bool:
        """A job yielded a value; False ends the job, and nothing more is called for it."""
        ...

    def ended(self, job: JobT, event: Ended) -> None:
        """A job returned a value, raised an error, or lost its workers."""
        ...

    def dropped(self, job: JobT) -> None:
        """A job was ended because the search is interrupted."""
        ...


def work_loop(executor: Executor, jobs: Jobs[JobT]) -> None:
    """Run jobs until there are none left; each begins as soon as a worker is free for it.

    An error that `jobs` raises ends the loop; closing the executor then ends the running jobs.

    Args:
        executor: Where the jobs run; it stays open.
        jobs: The search.
    """
    running: dict[int, JobT] = {}
    n_begun, more = 0, True
    while True:
        interrupted = jobs.is_interrupted()
        if interrupted:
            for key in list(running):
                executor.drop(key)
                jobs.dropped(running.pop(key))
        while more and executor.free:
            given = jobs.next_job()
            if given is None:
                more = False
                break
            running[n_begun] = given[0]
            executor.start(n_begun, given[1])
            n_begun += 1
        # With more jobs to come, no job runs only if a cluster has lost all its machines: others may join it.
        if not running and (interrupted or not more):
            return
        for event in executor.wait(ASK_EVERY):
            if not isinstance(event, Yielded):
                jobs.ended(running.pop(event.key), event)
            elif not jobs.yielded(running[event.key], event.value):
                executor.drop(event.key)
                del running[event.key]

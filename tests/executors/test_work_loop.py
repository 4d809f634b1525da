"""The loop of every search, on an executor whose events the test writes down beforehand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from rarebird.executors.executor import Closing, Event, Failed, Returned, WorkerLost, Yielded
from rarebird.executors.this_process import ThisProcess
from rarebird.executors.work_loop import Ended, work_loop
from tests.executors import works
from tests.executors.running import SHARED

Answer = Callable[[int, Any], Event | None]


class Scripted(Closing):
    """An executor whose items have the event that `answer(key, item)` gives; None: no event in this wait."""

    def __init__(self, workers: int, answer: Answer) -> None:
        self.workers, self.answer = workers, answer
        self.items: dict[int, Any] = {}
        self.dropped: list[int] = []
        self.running_at_wait: list[int] = []

    @property
    def free(self) -> int:
        return max(0, self.workers - len(self.items))

    def start(self, key: int, item: Any) -> None:
        assert key not in self.items
        self.items[key] = item

    def wait(self, seconds: float) -> Sequence[Event]:
        self.running_at_wait.append(len(self.items))
        events = [event for key, item in self.items.items() if (event := self.answer(key, item)) is not None]
        for event in events:
            if not isinstance(event, Yielded):
                del self.items[event.key]
        return events

    def drop(self, key: int) -> None:
        self.dropped.append(self.items.pop(key))


class Listed:
    """Jobs from a list; records each call of the loop."""

    def __init__(self, jobs: Sequence[str]) -> None:
        self.left = list(jobs)
        self.asked = 0
        self.calls: list[tuple[Any, ...]] = []

    def next_job(self) -> tuple[str, str] | None:
        self.asked += 1
        job = self.left.pop(0) if self.left else None
        return None if job is None else (job, f"item of {job}")

    def is_interrupted(self) -> bool:
        return False

    def yielded(self, job: str, value: Any) -> bool:
        self.calls.append(("yielded", job, value))
        return True

    def ended(self, job: str, event: Ended) -> None:
        self.calls.append((type(event).__name__, job))

    def dropped(self, job: str) -> None:
        self.calls.append(("dropped", job))


def test_all_free_workers_are_filled_until_there_is_no_job() -> None:
    executor, jobs = Scripted(3, lambda key, item: Returned(key, item)), Listed("abcdefg")
    work_loop(executor, jobs)
    assert executor.running_at_wait == [3, 3, 1]
    assert jobs.calls == [("Returned", job) for job in "abcdefg"]


def test_no_job_is_asked_for_after_there_was_none() -> None:
    executor, jobs = Scripted(2, lambda key, item: Returned(key, item)), Listed("a")
    work_loop(executor, jobs)
    assert jobs.asked == 2
    assert not executor.items


def test_a_job_is_ended_by_the_answer_to_what_it_yields() -> None:
    class Strict(Listed):
        def yielded(self, job: str, value: Any) -> bool:
            super().yielded(job, value)
            return job != "b" and len(self.calls) < 4

    executor, jobs = Scripted(2, lambda key, item: Yielded(key, item)), Strict("ab")
    work_loop(executor, jobs)
    assert executor.dropped == ["item of b", "item of a"]
    # The loop calls nothing more for a job that was ended like this.
    assert jobs.calls == [("yielded", job, f"item of {job}") for job in "abaa"]


def test_an_interruption_drops_all_running_jobs() -> None:
    class Interrupted(Listed):
        def is_interrupted(self) -> bool:
            return len(executor.running_at_wait) == 3

        def next_job(self) -> tuple[str, str] | None:
            return None if self.is_interrupted() else super().next_job()

    executor, jobs = Scripted(2, lambda key, item: None), Interrupted("abc")
    work_loop(executor, jobs)
    assert executor.dropped == ["item of a", "item of b"]
    assert jobs.calls == [("dropped", "a"), ("dropped", "b")]
    assert jobs.left == ["c"]


def test_after_an_interruption_the_search_may_still_give_jobs() -> None:
    class Once(Listed):
        def is_interrupted(self) -> bool:
            return len(executor.running_at_wait) == 1

    executor = Scripted(1, lambda key, item: None if item == "item of a" else Returned(key, item))
    jobs = Once("ab")
    work_loop(executor, jobs)
    assert jobs.calls == [("dropped", "a"), ("Returned", "b")]


def test_failures_and_lost_workers_reach_the_search() -> None:
    answers = {"item of a": Failed(0, ValueError("odd")), "item of b": WorkerLost(1, "it died")}
    jobs = Listed("ab")
    work_loop(Scripted(2, lambda key, item: answers[item]), jobs)
    assert jobs.calls == [("Failed", "a"), ("WorkerLost", "b")]


def test_an_error_of_the_search_ends_the_loop() -> None:
    class Broken(Listed):
        def ended(self, job: str, event: Ended) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work_loop(Scripted(1, lambda key, item: Returned(key, item)), Broken("ab"))


def test_a_cluster_without_machines_is_waited_for() -> None:
    executor, jobs = Scripted(0, lambda key, item: Returned(key, item)), Listed("ab")

    def joined() -> bool:
        if len(executor.running_at_wait) == 3:
            executor.workers = 2
        return False

    jobs.is_interrupted = joined  # type: ignore[method-assign]
    work_loop(executor, jobs)
    assert executor.running_at_wait == [0, 0, 0, 2]
    assert jobs.calls == [("Returned", "a"), ("Returned", "b")]


def test_a_real_executor_serves_the_loop() -> None:
    class Numbers(Listed):
        def next_job(self) -> Any:
            given = super().next_job()
            return None if given is None else (given[0], int(given[0]))

        def ended(self, job: str, event: Ended) -> None:
            assert isinstance(event, Returned)
            self.calls.append((job, event.value["value"]))

    jobs = Numbers("12")
    with ThisProcess(works.summed, SHARED) as executor:
        work_loop(executor, jobs)
    total = SHARED["array"].sum()  # type: ignore[union-attr]
    assert [call for call in jobs.calls if call[0] != "yielded"] == [("1", total + 1), ("2", total + 2)]

"""What holds for this process and for local processes alike: each item has its events, once and in order."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rarebird import executors
from rarebird.core.checks import DataError
from rarebird.executors.executor import Executor, Failed, Returned, Yielded, events_of, portable
from rarebird.executors.local_processes import LocalProcesses
from rarebird.executors.this_process import ThisProcess
from tests.executors import works
from tests.executors.running import SHARED, events_by_key

pytestmark = pytest.mark.xdist_group("heavy")
Make = Callable[[Any, Any], Executor]


@pytest.fixture(params=["this process", "local processes"])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    made: list[Executor] = []

    def make(work: Any, shared: Any) -> Executor:
        made.append(ThisProcess(work, shared) if request.param == "this process" else LocalProcesses(work, shared, 2))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_each_item_yields_and_returns_once_and_sees_the_shared_object(make: Make) -> None:
    executor = make(works.summed, SHARED)
    found = events_by_key(executor, [10, 20, 30, 40])
    assert sorted(found) == [0, 1, 2, 3]
    for key, (first, second, last) in found.items():
        assert (first.value[0], second.value[0]) == ("first", "second")  # type: ignore[union-attr]
        assert isinstance(last, Returned)
        assert last.value["value"] == SHARED["array"].sum() + 10 * (key + 1)  # type: ignore[union-attr]


def test_errors_come_back_even_if_they_cannot_be_pickled(make: Make) -> None:
    events = events_by_key(make(works.refused, None), [0, 1, 2])
    assert [type(of[-1]) for of in events.values()] == [Returned, Failed, Returned]
    assert "it is odd" in str(events[1][-1].error)  # type: ignore[union-attr]


def test_a_dropped_item_does_not_continue_and_its_worker_stays(make: Make) -> None:
    events = events_by_key(make(works.summed, SHARED), [1, 2, 3, 4], drop=lambda event: event.key % 2 == 0)
    assert [len(of) for of in events.values()] == [1, 3, 1, 3]
    # Two workers at most have seen all four: none was started again.
    assert len({of[0].value[1] for of in events.values()}) <= 2  # type: ignore[union-attr]


def test_closing_the_events_closes_the_work() -> None:
    closed = []

    def work(shared: Any, item: int) -> Iterator[int]:
        try:
            yield item
            yield item + 1
        finally:
            closed.append(item)

    running = events_of(work, None, 5, key=2)  # type: ignore[arg-type]
    assert next(running) == Yielded(2, 5)
    running.close()
    assert closed == [5]


def test_an_error_that_can_be_pickled_stays_as_it_is() -> None:
    error = DataError("a rule is broken")
    assert portable(error) is error
    changed = portable(works.Unportable(lambda: 0))
    assert str(pickle.loads(pickle.dumps(changed))) == "Unportable: it is odd"


def test_processes_and_a_cluster_at_once_are_refused() -> None:
    with pytest.raises(DataError, match="give one of --workers and --cluster"):
        executors.open_executor(works.summed, None, workers=2, cluster="auto")

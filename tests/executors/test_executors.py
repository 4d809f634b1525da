"""This process and processes of this machine: the same answers, one for each item, whatever dies."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rarebird import executors
from rarebird.core.checks import DataError
from rarebird.executors import shared_file
from rarebird.executors.executor import Done, Event, Executor, Failed, Lost, Said
from rarebird.executors.local_processes import LocalProcesses
from rarebird.executors.this_process import ThisProcess
from tests.executors import works

pytestmark = pytest.mark.xdist_group("heavy")
SHARED = {"array": np.arange(1000.0), "more": "text"}
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


def all_of(
    executor: Executor, items: list[Any], drop: Callable[[Said], bool] = lambda said: False
) -> dict[int, list[Event]]:
    """What was told of each item; items that say something to be dropped at are dropped."""
    told: dict[int, list[Event]] = {key: [] for key in range(len(items))}
    waiting, under_way, end = list(enumerate(items)), set[int](), time.monotonic() + 60
    while (waiting or under_way) and time.monotonic() < end:
        while waiting and executor.free:
            key, item = waiting.pop(0)
            under_way.add(key)
            executor.start(key, item)
        for event in executor.wait(0.2):
            told[event.key].append(event)
            if not isinstance(event, Said):
                under_way.remove(event.key)
            elif drop(event):
                executor.drop(event.key)
                under_way.remove(event.key)
    assert not under_way
    return told


def test_each_item_is_answered_once_and_what_is_shared_is_seen_by_all(make: Make) -> None:
    executor = make(works.summed, SHARED)
    for key, (first, second, last) in all_of(executor, [10, 20, 30, 40]).items():
        assert (first.value[0], second.value[0]) == ("first", "second")  # type: ignore[union-attr]
        assert isinstance(last, Done)
        assert last.value["value"] == SHARED["array"].sum() + 10 * (key + 1)  # type: ignore[union-attr]


def test_errors_come_back_even_where_they_cannot_travel(make: Make) -> None:
    told = all_of(make(works.refused, None), [0, 1, 2])
    assert [type(events[-1]) for events in told.values()] == [Done, Failed, Done]
    assert "it is odd" in str(told[1][-1].error)  # type: ignore[union-attr]


def test_a_dropped_item_goes_no_further_and_its_worker_stays(make: Make) -> None:
    told = all_of(make(works.summed, SHARED), [1, 2, 3, 4], drop=lambda said: said.key % 2 == 0)
    assert [len(events) for events in told.values()] == [1, 3, 1, 3]
    # Two workers at most have seen all four: none was begun anew.
    assert len({events[0].value[1] for events in told.values()}) <= 2  # type: ignore[union-attr]


def test_an_item_dropped_in_its_midst_is_heard_of_no_more() -> None:
    with LocalProcesses(works.devices, None, 1) as executor:
        executor.start(0, 0)
        executor.wait(0.3)
        executor.drop(0)
        assert executor.free == 1
        executor.start(1, 0)
        events: list[Event] = []
        end = time.monotonic() + 60
        while not events and time.monotonic() < end:
            events = executor.wait(0.2)
    assert events == [Done(1, os.environ.get("CUDA_VISIBLE_DEVICES"))]


def test_local_processes_map_the_shared_arrays_and_do_not_copy_them() -> None:
    with LocalProcesses(works.summed, SHARED, 2) as executor:
        told = all_of(executor, [1, 2, 3, 4, 5, 6])
    seen = [events[-1].value for events in told.values()]  # type: ignore[union-attr]
    assert {one["mapped"] for one in seen} == {"mmap"}
    assert len({one["pid"] for one in seen} | {os.getpid()}) == 3


def test_a_killed_worker_costs_its_item_one_attempt_and_two_cost_the_item(tmp_path: Path) -> None:
    items = ["a", "once", "b", "always", "c"]
    with LocalProcesses(works.deadly, tmp_path, 2) as executor:
        told = all_of(executor, items)
    assert [type(events[-1]) for events in told.values()] == [Done, Done, Done, Lost, Done]
    assert all(len(events) == 1 for events in told.values())
    assert {path.name: len(path.read_text()) for path in tmp_path.iterdir()} == {
        "a": 1,
        "b": 1,
        "c": 1,
        "once": 2,
        "always": 2,
    }


def test_no_worker_and_no_file_outlives_the_executor() -> None:
    with LocalProcesses(works.devices, None, 2) as executor:
        executor.start(0, 0)
        executor.wait(0.2)
        folder = executor._folder
        assert folder.is_dir()
        assert multiprocessing.active_children()
    assert not folder.exists()
    assert not multiprocessing.active_children()


def test_shared_values_survive_the_file_and_maps_are_passed_by_name(tmp_path: Path) -> None:
    stored = np.arange(24_000).reshape(4, 6000)
    np.save(tmp_path / "pictures.npy", stored)
    mapped = np.load(tmp_path / "pictures.npy", mmap_mode="r")
    value = {
        "odd": np.arange(7, dtype=np.int8),
        "empty": np.zeros((0, 3)),
        "text": np.array(["a", None], dtype=object),
        "pictures": mapped,
    }
    shared_file.write(tmp_path / "shared", value)
    back = shared_file.read(tmp_path / "shared")
    for name in value:
        np.testing.assert_array_equal(back[name], value[name])
    assert Path(back["pictures"].filename) == tmp_path / "pictures.npy"
    assert (tmp_path / "shared").stat().st_size < stored.nbytes
    back["odd"][0] = 100
    assert shared_file.read(tmp_path / "shared")["odd"][0] == 0


def test_an_empty_object_can_be_shared(tmp_path: Path) -> None:
    shared_file.write(tmp_path / "shared", None)
    assert shared_file.read(tmp_path / "shared") is None


def test_processes_and_a_cluster_at_once_are_refused() -> None:
    with pytest.raises(DataError, match="give one of --workers and --cluster"):
        executors.opened(works.summed, None, workers=2, cluster="auto")

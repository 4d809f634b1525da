"""Processes of this machine: shared arrays are mapped, a killed process costs one attempt, and none outlives the
executor."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import pytest

from rarebird.executors.executor import Event, Returned, WorkerLost
from rarebird.executors.local_processes import LocalProcesses
from tests.executors import works
from tests.executors.running import SHARED, attempts, events_by_key

pytestmark = pytest.mark.xdist_group("heavy")


def test_an_item_dropped_at_work_has_no_more_events() -> None:
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
    assert events == [Returned(1, os.environ.get("CUDA_VISIBLE_DEVICES"))]


def test_shared_arrays_are_mapped_and_not_copied() -> None:
    with LocalProcesses(works.summed, SHARED, 2) as executor:
        events = events_by_key(executor, [1, 2, 3, 4, 5, 6])
    seen = [of[-1].value for of in events.values()]  # type: ignore[union-attr]
    assert {one["mapped"] for one in seen} == {"mmap"}
    assert len({one["pid"] for one in seen} | {os.getpid()}) == 3


def test_after_one_killed_worker_an_item_is_tried_again_and_after_two_it_is_lost(tmp_path: Path) -> None:
    with LocalProcesses(works.deadly, tmp_path, 2) as executor:
        events = events_by_key(executor, ["a", "once", "b", "always", "c"])
    assert [type(of[-1]) for of in events.values()] == [Returned, Returned, Returned, WorkerLost, Returned]
    assert all(len(of) == 1 for of in events.values())
    assert attempts(tmp_path) == {"a": 1, "b": 1, "c": 1, "once": 2, "always": 2}


def test_no_worker_and_no_file_outlives_the_executor() -> None:
    with LocalProcesses(works.devices, None, 2) as executor:
        executor.start(0, 0)
        executor.wait(0.2)
        folder = executor._folder
        assert folder.is_dir()
        assert multiprocessing.active_children()
    assert not folder.exists()
    assert not multiprocessing.active_children()

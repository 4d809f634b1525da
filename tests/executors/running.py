"""Runs items on an executor and collects their events."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rarebird.executors.executor import Event, Executor, Yielded

SHARED = {"array": np.arange(1000.0), "more": "text"}


def events_by_key(
    executor: Executor, items: list[Any], drop: Callable[[Yielded], bool] = lambda event: False
) -> dict[int, list[Event]]:
    """The events of each item, which has its place in the list as its key; an item is dropped at a yielded value for
    which `drop` is true."""
    events: dict[int, list[Event]] = {key: [] for key in range(len(items))}
    waiting, running, end = list(enumerate(items)), set[int](), time.monotonic() + 60
    while (waiting or running) and time.monotonic() < end:
        while waiting and executor.free:
            key, item = waiting.pop(0)
            running.add(key)
            executor.start(key, item)
        for event in executor.wait(0.2):
            events[event.key].append(event)
            if not isinstance(event, Yielded):
                running.remove(event.key)
            elif drop(event):
                executor.drop(event.key)
                running.remove(event.key)
    assert not running
    return events


def attempts(folder: Path) -> dict[str, int]:
    """Item -> number of attempts of `works.deadly`."""
    return {path.name: len(path.read_text()) for path in folder.iterdir()}

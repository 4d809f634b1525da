"""Items one after another in this process."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from rarebird.executors.executor import Closing, Event, Work, Yielded, events_of


class ThisProcess(Closing):
    """Works on an item only while `wait` is called, until its next event.

    Args:
        work: The function that is run on each item.
        shared: An object that all items share.
    """

    def __init__(self, work: Work, shared: Any) -> None:
        self._work, self._shared = work, shared
        self._running: Generator[Event, None, None] | None = None

    @property
    def free(self) -> int:
        """1 if no item runs, else 0."""
        return int(self._running is None)

    def start(self, key: int, item: Any) -> None:
        """Begin an item."""
        self._running = events_of(self._work, self._shared, item, key)

    def wait(self, seconds: float) -> list[Event]:
        """The next event, however long it takes: the work is done in this call."""
        if self._running is None:
            return []
        event = next(self._running)
        if not isinstance(event, Yielded):
            self._running = None
        return [event]

    def drop(self, key: int) -> None:
        """End the item."""
        self.close()

    def close(self) -> None:
        """End the item that runs."""
        if self._running is not None:
            self._running.close()
        self._running = None

"""Items one after another in this process."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from rarebird.executors.executor import Closing, Event, Work, Yielded, events_of


class ThisProcess(Closing):
    """Works on an item while `wait` is called, up to the next thing that it tells.

    Args:
        work: What is done with an item.
        shared: What all items share.
    """

    def __init__(self, work: Work, shared: Any) -> None:
        self._work, self._shared = work, shared
        self._running: Generator[Event, None, None] | None = None

    @property
    def free(self) -> int:
        """One where nothing is under way."""
        return int(self._running is None)

    def start(self, key: int, item: Any) -> None:
        """Begin an item."""
        self._running = events_of(self._work, self._shared, item, key)

    def wait(self, seconds: float) -> list[Event]:
        """The next thing that is told; however long it takes, since nobody else could do it meanwhile."""
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
        """End the item under way."""
        if self._running is not None:
            self._running.close()
        self._running = None

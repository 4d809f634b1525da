"""What an executor is: it runs one function on many items, here or elsewhere, and reports events for each item.

The function is a generator: each value that it yields is an event, and so is its return value or its error. All items
share one object, which travels once to each machine and not once with each item.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

Work = Callable[[Any, Any], Generator[Any, None, Any]]
"""``work(shared, item)``, a function of a module, so that other processes can import it by its name."""
# An item whose worker dies is tried a second time. If that worker dies too, the item itself is the likely cause.
ATTEMPTS = 2


@dataclass
class QueuedItem:
    """An item in the queue of an executor that tries it again when its worker dies.

    Attributes:
        key: The key that `Executor.start` was given for it.
        item: The item itself.
        attempts: How often a worker died while it worked on the item.
    """

    key: int
    item: Any
    attempts: int = 0


@dataclass(frozen=True)
class Yielded:
    """The work on an item yielded a value. It continues with the next `Executor.wait`, unless it is dropped before."""

    key: int
    value: Any


@dataclass(frozen=True)
class Returned:
    """The work on an item returned a value."""

    key: int
    value: Any


@dataclass(frozen=True)
class Failed:
    """The work on an item raised an error."""

    key: int
    error: Exception


@dataclass(frozen=True)
class WorkerLost:
    """Each worker that tried an item died."""

    key: int
    reason: str


Event = Yielded | Returned | Failed | WorkerLost


class Executor(Protocol):
    """Where items are worked on; leaving its ``with`` block ends all work that still runs."""

    @property
    def free(self) -> int:
        """How many more items can begin at once."""
        ...

    def start(self, key: int, item: Any) -> None:
        """Begin an item under a key that no other item has."""
        ...

    def wait(self, seconds: float) -> Sequence[Event]:
        """The events since the last call; empty if there is none within `seconds`.

        The last event of each item is one of `Returned`, `Failed` and `WorkerLost`.
        """
        ...

    def drop(self, key: int) -> None:
        """End an item; it has no more events."""
        ...

    def close(self) -> None:
        """End all work."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Closing:
    """A base class: leaving the ``with`` block calls `close`."""

    def close(self) -> None:
        """End all work."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def events_of(work: Work, shared: Any, item: Any, key: int = 0) -> Generator[Event, None, None]:
    """Run the work on an item: any number of `Yielded`, then one `Returned` or `Failed`."""
    running = work(shared, item)
    try:
        while True:
            yield Yielded(key, next(running))
    except StopIteration as end:
        yield Returned(key, end.value)
    except Exception as error:
        yield Failed(key, portable(error))
    finally:
        running.close()


def portable(error: Exception) -> Exception:
    """The error itself if it can be pickled for another process; otherwise an error with its name and text."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # pickling an unknown error can raise anything
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error

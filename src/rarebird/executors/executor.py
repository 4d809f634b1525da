"""What an executor is: it runs one function on many items, here or elsewhere, and tells once what came of each.

The function is a generator: what it yields is told meanwhile, what it returns is the result. All items share one
object, which an executor hands over by reference: it travels once to each machine, and not once with each item.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

Work = Callable[[Any, Any], Generator[Any, None, Any]]
"""``work(shared, item)``, a function of a module, so that other processes find it by its name."""
# An item whose worker dies is tried again once; one that loses two workers is likely what kills them.
ATTEMPTS = 2


@dataclass
class Item:
    """What is worked on, for executors that give it out again where a worker dies.

    Attributes:
        key: That no other item has.
        value: The item itself.
        attempts: How often it was begun.
    """

    key: int
    value: Any
    attempts: int = 0


@dataclass(frozen=True)
class Yielded:
    """The work on an item yielded a value; it goes on with the next `wait`, unless it is dropped before."""

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
    """Where items are worked on; leaving its ``with`` block ends whatever is still under way."""

    @property
    def free(self) -> int:
        """How many more items would be worked on at once."""
        ...

    def start(self, key: int, item: Any) -> None:
        """Begin an item under a key that no other has."""
        ...

    def wait(self, seconds: float) -> Sequence[Event]:
        """What has come since the last call; returns after `seconds` where nothing comes.

        After `Returned`, `Failed` or `WorkerLost`, of which there is one for each item, nothing more is told of it.
        """
        ...

    def drop(self, key: int) -> None:
        """End an item; nothing more is told of it."""
        ...

    def close(self) -> None:
        """End everything."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Closing:
    """The ``with`` block of an executor."""

    def close(self) -> None:
        """End everything."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def events_of(work: Work, shared: Any, item: Any, key: int = 0) -> Generator[Event, None, None]:
    """What a worker tells of an item: any number of `Yielded`, then one of `Returned` and `Failed`."""
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
    """The error itself where it survives the way to another process; its name and text otherwise."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # whatever a foreign error's pickling raises
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error

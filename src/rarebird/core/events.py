"""What happens in a run, told to whoever listens: a progress display, a log, a tracking tool."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

# Called with the kind of an event and its values.
Listener = Callable[[str, dict[str, Any]], None]
_LISTENERS: ContextVar[tuple[Listener, ...]] = ContextVar("listeners", default=())


def emit(kind: str, **values: Any) -> None:
    """Tell all listeners of an event.

    Kinds: ``started`` (the command and its folder), ``progress`` (share and description), ``trial`` (a recipe that was
    trained and scored on held-out rows), ``left`` (one that was not, and why), ``best`` (the best so far, with its
    interval), ``finished`` (the result), ``failed`` (why there is none).
    """
    for listener in _LISTENERS.get():
        listener(kind, values)


@contextmanager
def listening(*listeners: Listener) -> Iterator[None]:
    """In the block, listeners are told of events of this process; those that listened before still are."""
    token = _LISTENERS.set((*_LISTENERS.get(), *listeners))
    try:
        yield
    finally:
        _LISTENERS.reset(token)


def is_heard() -> bool:
    """Whether anybody listens, for values that take work to make."""
    return bool(_LISTENERS.get())

"""Ctrl-C and SIGTERM, which end a command alike: as a cluster, a container or a shutdown ends it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)
Handler = Callable[[int, FrameType | None], Any]


@contextmanager
def handling(handler: Handler) -> Iterator[None]:
    """Call `handler` for both signals in the block. A signal that the parent process had ignored, as ``nohup`` and
    background jobs of a script do, stays ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread gets signals
        return
    before = {one: signal.getsignal(one) for one in SIGNALS}
    try:
        for one, known in before.items():
            if known is not signal.SIG_IGN:
                signal.signal(one, handler)
        yield
    finally:
        for one, known in before.items():
            if known is not None and signal.getsignal(one) is not signal.SIG_IGN:
                signal.signal(one, known)


@contextmanager
def raising() -> Iterator[list[int]]:
    """In the block, both signals raise `KeyboardInterrupt`; after it they are ignored: the process is about to end.

    Yields:
        The signals so far: what they interrupt may turn the error into one of its own.
    """
    received: list[int] = []

    def interrupt(signum: int, frame: FrameType | None) -> None:
        received.append(signum)
        raise KeyboardInterrupt

    with handling(interrupt):
        yield received
        for one in SIGNALS if threading.current_thread() is threading.main_thread() else ():
            signal.signal(one, signal.SIG_IGN)


def say(text: str) -> None:
    """Write a line on standard error from a signal's handler, which may interrupt another write."""
    os.write(2, f"{text}\n".encode("utf-8", "backslashreplace"))

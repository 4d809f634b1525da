"""How processes of this machine are started: their environment, and signals, which the main process alone obeys."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.resource_tracker import ensure_running

# Numeric libraries read these variables when they are imported, so they must be set before a process starts.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """Environment variables for the processes that are started in the block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


@contextmanager
def signals_held() -> Iterator[None]:
    """Signals that arrive while a process starts wait. The new process inherits this until it ignores them: it would
    otherwise be ended, with a traceback, while it imports its modules."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    ensure_running()  # it starts a process of its own, and would let the signals through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ignore_signals() -> None:
    """Ctrl-C reaches every process of the terminal, and SIGTERM every process of a service or a container, but the main
    process decides what ends."""
    for one in SIGNALS:
        signal.signal(one, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

"""Items in several processes of this machine, which map what they share from one file; a process that dies costs its
item's time alone.

Processes are spawned and not forked: torch's threads do not survive a fork.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from rarebird.executors import shared_file
from rarebird.executors.executor import ATTEMPTS, Closing, Event, Item, Work, WorkerLost, Yielded, events_of

# Read when the numeric libraries are first imported, hence set before a process starts.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
READY = "ready"
# So many processes in a row that die before they are ready mean that none ever will be.
STILLBORN = 3
# Seconds for a process that was asked to end, before it is killed.
ENDING = 1.0


@dataclass
class _Worker:
    """A process, and the item that it works on.

    Attributes:
        ready: Whether it has said that it has the shared object.
        asks: Whether it waits to hear if its item goes on.
    """

    process: SpawnProcess
    connection: Connection
    item: Item | None = None
    ready: bool = False
    asks: bool = False


class LocalProcesses(Closing):
    """Several processes, each of which works on one item at a time.

    Args:
        work: What is done with an item.
        shared: What all items share.
        workers: How many processes.
        threads: Threads of each process's numeric libraries.
    """

    def __init__(self, work: Work, shared: Any, workers: int, threads: int = 1) -> None:
        self._work, self._wanted, self._threads = work, workers, threads
        self._folder = Path(tempfile.mkdtemp(prefix="rarebird-"))
        self._again: deque[Item] = deque()
        self._stillborn = 0
        self._workers: list[_Worker] = []
        try:
            shared_file.write(self._shared, shared)
            self._workers += [self._spawned() for _ in range(workers)]
        except BaseException:
            self.close()
            raise

    @property
    def free(self) -> int:
        """Processes without an item, less the items that wait to be tried again; those that died are begun anew as they
        are needed."""
        return max(0, self._wanted - sum(worker.item is not None for worker in self._workers) - len(self._again))

    def start(self, key: int, item: Any) -> None:
        """Begin an item on a process that has none, or as soon as there is one."""
        self._again.append(Item(key, item))
        self._deal()

    def wait(self, seconds: float) -> list[Event]:
        """What the processes told since the last call."""
        for worker in self._workers:
            self._answer(worker, goes_on=True)
        self._deal()
        heard = wait([one for worker in self._workers for one in (worker.connection, worker.process.sentinel)], seconds)
        events = []
        for worker in list(self._workers):
            if worker.connection in heard or worker.process.sentinel in heard:
                events += self._heard(worker)
        return events

    def drop(self, key: int) -> None:
        """End an item: a process that asks is told no, and one that is in the midst of it is ended."""
        self._again = deque(item for item in self._again if item.key != key)
        for worker in list(self._workers):
            if worker.item is not None and worker.item.key == key:
                worker.item = None
                if worker.asks:
                    self._answer(worker, goes_on=False)
                else:
                    self._end(worker)

    def close(self) -> None:
        """End all processes, and remove the file that they share."""
        for worker in self._workers:
            # An idle process ends by itself when its pipe does; one at work would not look.
            worker.connection.close()
            if worker.item is not None:
                worker.process.kill()
        for worker in self._workers:
            worker.process.join(ENDING)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.process.close()
        self._workers = []
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _shared(self) -> Path:
        return self._folder / "shared"

    def _spawned(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        mine, its = context.Pipe()
        process = context.Process(target=_serve, args=(its, self._shared, self._work), daemon=True)
        with _environment(dict.fromkeys(THREADS, str(self._threads))):
            process.start()
        its.close()
        return _Worker(process, mine)

    def _end(self, worker: _Worker) -> None:
        worker.process.kill()
        worker.process.join()
        worker.process.close()
        worker.connection.close()
        self._workers.remove(worker)

    def _deal(self) -> None:
        """Waiting items to idle processes."""
        busy = sum(worker.item is not None for worker in self._workers)
        while len(self._workers) < min(self._wanted, busy + len(self._again)):
            self._workers.append(self._spawned())
        for worker in self._workers:
            if self._again and worker.item is None:
                worker.item = self._again.popleft()
                with suppress(OSError):  # it has died, which `wait` will find
                    worker.connection.send((worker.item.key, worker.item.value))

    def _answer(self, worker: _Worker, goes_on: bool) -> None:
        if worker.asks:
            worker.asks = False
            with suppress(OSError):
                worker.connection.send(goes_on)

    def _heard(self, worker: _Worker) -> list[Event]:
        """The event that a process told; none where it died and its item will be tried again."""
        try:
            event = worker.connection.recv()
        except (EOFError, OSError):
            return self._died(worker)
        if event == READY:
            worker.ready, self._stillborn = True, 0
            return []
        worker.asks = isinstance(event, Yielded)
        if not worker.asks:
            worker.item = None
        return [event]

    def _died(self, worker: _Worker) -> list[Event]:
        worker.process.join(ENDING)
        item, code = worker.item, worker.process.exitcode
        self._stillborn += not worker.ready
        if self._stillborn >= STILLBORN:
            raise RuntimeError(f"the processes that should work on trials die as they start (exit code {code}).")
        self._end(worker)
        if item is None:
            return []
        item.attempts += worker.ready
        if item.attempts >= ATTEMPTS:
            return [WorkerLost(item.key, f"its worker died {ATTEMPTS} times, the last time with exit code {code}.")]
        self._again.append(item)
        return []


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
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


def _serve(connection: Connection, shared: Path, work: Work) -> None:
    """The life of a worker: items from the pipe, what is told of them into it, until it ends."""
    # Ctrl-C goes to the whole terminal; the driver decides what ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    value = shared_file.read(shared)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        connection.send(READY)
        while True:
            _work_on(connection, work, value, *connection.recv())


def _work_on(connection: Connection, work: Work, shared: Any, key: int, item: Any) -> None:
    for event in events_of(work, shared, item, key):
        connection.send(event)
        if isinstance(event, Yielded) and not connection.recv():
            return


def _end_with_parent() -> None:
    """A driver that is killed leaves nobody who would use this worker's result."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)

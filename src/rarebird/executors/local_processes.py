"""Items in several processes of this machine, which map the shared object from one file.

A process that dies costs only the time of its item. Processes are spawned and not forked: torch's threads do not
survive a fork.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import shutil
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from rarebird.core import temporary_folder
from rarebird.executors import shared_file
from rarebird.executors.executor import ATTEMPTS, Closing, Event, QueuedItem, Work, WorkerLost, Yielded, events_of
from rarebird.executors.spawned import THREADS, environment, ignore_signals, signals_held

READY = "ready"
# After this many processes in a row that died before they were ready, no more are started.
MOST_FAILED_STARTS = 3
# Seconds that a process gets to end by itself, before it is killed.
SECONDS_TO_END = 1.0


@dataclass
class _Worker:
    """A process, and the item that it works on.

    Attributes:
        process: The process.
        connection: This side of the pipe to it.
        queued: The item that it works on; None: it is idle.
        ready: Whether it has read the shared object.
        asks: Whether it has yielded a value and waits for the answer: continue, or drop the item.
    """

    process: SpawnProcess
    connection: Connection
    queued: QueuedItem | None = None
    ready: bool = False
    asks: bool = False


class LocalProcesses(Closing):
    """Several processes, each of which works on one item at a time.

    Args:
        work: The function that is run on each item.
        shared: An object that all items share.
        workers: Number of processes.
        threads: Threads of each process's numeric libraries.
    """

    def __init__(self, work: Work, shared: Any, workers: int, threads: int = 1) -> None:
        self._work, self._n_workers, self._threads = work, workers, threads
        self._folder, self._lock = temporary_folder.take()
        # Without it, an executor that nobody closed would be waited for at the exit: its processes ignore SIGTERM.
        atexit.register(self.close)
        self._queue: deque[QueuedItem] = deque()
        self._failed_starts = 0
        self._workers: list[_Worker] = []
        try:
            shared_file.write(self._shared, shared)
            self._workers += [self._spawn() for _ in range(workers)]
        except BaseException:
            self.close()
            raise

    @property
    def free(self) -> int:
        """Processes without an item, less the items in the queue; a process that died is replaced when it is
        needed."""
        busy = sum(worker.queued is not None for worker in self._workers)
        return max(0, self._n_workers - busy - len(self._queue))

    def start(self, key: int, item: Any) -> None:
        """Begin an item on an idle process, now or as soon as there is one."""
        self._queue.append(QueuedItem(key, item))
        self._assign()

    def wait(self, seconds: float) -> list[Event]:
        """The events of all processes since the last call."""
        for worker in self._workers:
            self._answer(worker, proceed=True)
        self._assign()
        signals = [one for worker in self._workers for one in (worker.connection, worker.process.sentinel)]
        ready = wait(signals, seconds)
        events = []
        for worker in list(self._workers):
            if worker.connection in ready or worker.process.sentinel in ready:
                events += self._received(worker)
        return events

    def drop(self, key: int) -> None:
        """End an item: a process that asks gets the answer no, and one that is at work on the item is killed."""
        self._queue = deque(queued for queued in self._queue if queued.key != key)
        for worker in list(self._workers):
            if worker.queued is not None and worker.queued.key == key:
                worker.queued = None
                if worker.asks:
                    self._answer(worker, proceed=False)
                else:
                    self._end(worker)

    def close(self) -> None:
        """End all processes, and remove the file of the shared object."""
        for worker in self._workers:
            # An idle process ends by itself when its pipe is closed; a process at work would not notice.
            worker.connection.close()
            if worker.queued is not None:
                worker.process.kill()
        for worker in self._workers:
            worker.process.join(SECONDS_TO_END)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.process.close()
        self._workers = []
        temporary_folder.give_up(self._folder, self._lock)
        atexit.unregister(self.close)

    @property
    def _shared(self) -> Path:
        return self._folder / "shared"

    def _spawn(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(target=_serve, args=(there, self._shared, self._work), daemon=True)
        with environment(dict.fromkeys(THREADS, str(self._threads))), signals_held():
            process.start()
        there.close()
        return _Worker(process, here)

    def _end(self, worker: _Worker) -> None:
        worker.process.kill()
        worker.process.join()
        worker.process.close()
        worker.connection.close()
        self._workers.remove(worker)

    def _assign(self) -> None:
        """Give queued items to idle processes, which are started as needed."""
        busy = sum(worker.queued is not None for worker in self._workers)
        while len(self._workers) < min(self._n_workers, busy + len(self._queue)):
            self._workers.append(self._spawn())
        for worker in self._workers:
            if self._queue and worker.queued is None:
                worker.queued = self._queue.popleft()
                with suppress(OSError):  # the process has died; `wait` will notice
                    worker.connection.send((worker.queued.key, worker.queued.item))

    def _answer(self, worker: _Worker, proceed: bool) -> None:
        if worker.asks:
            worker.asks = False
            with suppress(OSError):
                worker.connection.send(proceed)

    def _received(self, worker: _Worker) -> list[Event]:
        """The event that a process sent; none if the process died and its item will be tried again."""
        try:
            event = worker.connection.recv()
        except (EOFError, OSError):
            return self._died(worker)
        if event == READY:
            worker.ready, self._failed_starts = True, 0
            return []
        worker.asks = isinstance(event, Yielded)
        if not worker.asks:
            worker.queued = None
        return [event]

    def _died(self, worker: _Worker) -> list[Event]:
        worker.process.join(SECONDS_TO_END)
        queued, code = worker.queued, worker.process.exitcode
        self._failed_starts += not worker.ready
        if self._failed_starts >= MOST_FAILED_STARTS:
            raise RuntimeError(f"the processes that should work on trials die as they start (exit code {code}).")
        self._end(worker)
        if queued is None:
            return []
        queued.attempts += worker.ready
        if queued.attempts >= ATTEMPTS:
            return [WorkerLost(queued.key, f"its worker died {ATTEMPTS} times, the last time with exit code {code}.")]
        self._queue.append(queued)
        return []


def _serve(connection: Connection, shared: Path, work: Work) -> None:
    """What a worker process runs: takes items from the pipe and sends their events, until the pipe is closed."""
    ignore_signals()
    threading.Thread(target=_end_with_parent, args=(shared.parent,), daemon=True).start()
    value = _read(shared)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        connection.send(READY)
        while True:
            _work_on(connection, work, value, *connection.recv())


def _read(shared: Path) -> Any:
    """The shared object.

    Raises:
        SystemExit: The main process has died, and another of its processes has removed the folder.
    """
    try:
        return shared_file.read(shared)
    except FileNotFoundError:
        parent = multiprocessing.parent_process()
        if parent is not None and not parent.is_alive():
            raise SystemExit(1) from None
        raise


def _work_on(connection: Connection, work: Work, shared: Any, key: int, item: Any) -> None:
    for event in events_of(work, shared, item, key):
        connection.send(event)
        if isinstance(event, Yielded) and not connection.recv():
            return


def _end_with_parent(folder: Path) -> None:
    """End this process when the main process has died: nobody would use its results. The folder of the shared object,
    which the main process could not remove, goes, too."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)

"""Items on a Ray cluster: machines with and without GPUs take items from one queue, each at its own speed.

The shared object is put into the cluster's store once; tasks hold a reference to it, and a machine fetches it once. Ray
itself retries nothing, since only this process knows which events were seen already: if a worker or its machine dies,
the item is queued here again, under the same key.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rarebird.core.checks import DataError
from rarebird.executors.executor import ATTEMPTS, Closing, Event, QueuedItem, Work, WorkerLost, Yielded, events_of

GPU, CPU = "GPU", "CPU"
# Ray reads these variables when it is imported: send no usage statistics, and do not print messages about dead
# machines, which are no error here.
ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS_SKIP_REGEX": "."}
# Seconds after which the size of the cluster is asked for again.
SIZE_LASTS = 1.0
# Seconds within which a cluster's head must accept a connection.
CONNECT_SECONDS = 10.0


@dataclass
class _Task:
    """An item that runs on the cluster.

    Attributes:
        queued: The item.
        kind: The kind of its slot, `GPU` or `CPU`.
        events: Ray's generator of its events.
    """

    queued: QueuedItem
    kind: str
    events: Any


class RayCluster(Closing):
    """A running Ray cluster.

    Args:
        work: The function that is run on each item.
        shared: An object that all items share.
        address: ``auto`` for the cluster that this machine belongs to, or its ``HOST:PORT``.
        cpus: CPUs of one item.
        gpus: Whether an item runs with one GPU where one is free; other items run on CPUs alone.
        only_gpus: Whether every item must have a GPU.

    Raises:
        DataError: Ray is not installed, or there is no such cluster.
    """

    def __init__(
        self,
        work: Work,
        shared: Any,
        address: str = "auto",
        *,
        cpus: int = 1,
        gpus: bool = True,
        only_gpus: bool = False,
    ) -> None:
        self._ray = _connected(address)
        self._cpus, self._gpus, self._only_gpus = cpus, gpus or only_gpus, only_gpus
        self._remote = {kind: self._ray.remote(**_options(kind, cpus))(_run) for kind in (GPU, CPU)}
        self._work, self._shared = work, self._ray.put(shared)
        self._queue: deque[QueuedItem] = deque()
        self._tasks: list[_Task] = []
        self._size: tuple[float, dict[str, int]] = (-SIZE_LASTS, {})
        if not self.free:
            self.close()
            raise DataError(
                f"The Ray cluster at {address!r} has no room for a trial of {cpus} CPUs; give fewer --threads, or add "
                "machines."
            )

    @property
    def free(self) -> int:
        """Slots without an item, less the items in the queue."""
        return max(0, sum(self._free_slots().values()) - len(self._queue))

    def start(self, key: int, item: Any) -> None:
        """Begin an item on a free slot, GPUs first, now or as soon as there is one."""
        self._queue.append(QueuedItem(key, item))
        self._assign()

    def wait(self, seconds: float) -> list[Event]:
        """The events of the cluster since the last call."""
        self._assign()
        if not self._tasks:
            time.sleep(seconds)  # all machines are lost; others may join
            return []
        generators = [task.events for task in self._tasks]
        ready, rest = self._ray.wait(generators, num_returns=1, timeout=seconds, fetch_local=False)
        if ready and rest:
            ready += self._ray.wait(rest, num_returns=len(rest), timeout=0, fetch_local=False)[0]
        return [event for task in list(self._tasks) if task.events in ready for event in self._received(task)]

    def drop(self, key: int) -> None:
        """End an item; a task that is at work on it is interrupted, and its worker is kept for the next item."""
        self._queue = deque(queued for queued in self._queue if queued.key != key)
        for task in [task for task in self._tasks if task.queued.key == key]:
            self._tasks.remove(task)
            self._ray.cancel(task.events, force=False)

    def close(self) -> None:
        """End all items and disconnect from the cluster, which keeps running."""
        for task in self._tasks:
            self._ray.cancel(task.events, force=True)
        self._tasks = []
        self._shared = None
        self._ray.shutdown()

    def _received(self, task: _Task) -> list[Event]:
        """The next event of a task; none if its worker died and the item will be tried again."""
        try:
            event: Event = self._ray.get(next(task.events))
        except (self._ray.exceptions.RayError, StopIteration) as error:
            self._tasks.remove(task)
            return self._died(task.queued, error)
        if not isinstance(event, Yielded):
            self._tasks.remove(task)
        return [event]

    def _died(self, queued: QueuedItem, error: Exception) -> list[Event]:
        queued.attempts += 1
        self._size = (-SIZE_LASTS, {})
        if queued.attempts >= ATTEMPTS:
            why = f"its worker died {ATTEMPTS} times, the last time of {type(error).__name__}."
            return [WorkerLost(queued.key, why)]
        self._queue.append(queued)
        return []

    def _assign(self) -> None:
        """Give queued items to free slots."""
        free = self._free_slots()
        for kind in (GPU, CPU):
            while self._queue and free[kind] > 0:
                free[kind] -= 1
                queued, remote = self._queue.popleft(), self._remote[kind]
                if kind == CPU and self._slots()[GPU]:
                    # A worker for CPUs must see no GPU. Its environment also keeps Ray from giving it a task with a GPU
                    # later, which it could not find any more.
                    remote = remote.options(runtime_env={"env_vars": {"CUDA_VISIBLE_DEVICES": ""}})
                events = remote.remote(self._work, self._shared, queued.item, queued.key)
                self._tasks.append(_Task(queued, kind, events))

    def _free_slots(self) -> dict[str, int]:
        taken = [task.kind for task in self._tasks]
        return {kind: slots - taken.count(kind) for kind, slots in self._slots().items()}

    def _slots(self) -> dict[str, int]:
        """How many items each kind of slot can run at once; machines may join and leave."""
        now = time.monotonic()
        if now - self._size[0] >= SIZE_LASTS:
            resources = self._ray.cluster_resources()
            gpus = int(resources.get(GPU, 0)) if self._gpus else 0
            cpus = 0 if self._only_gpus else max(0, int(resources.get(CPU, 0)) // self._cpus - gpus)
            self._size = (now, {GPU: gpus, CPU: cpus})
        return self._size[1]


def _options(kind: str, cpus: int) -> dict[str, Any]:
    """How Ray runs a task.

    Backpressure makes a task wait until its last event was read, so that it can be dropped before it continues.
    """
    options = {"num_returns": "streaming", "_generator_backpressure_num_objects": 1, "max_retries": 0}
    if kind == CPU:
        return {**options, "num_cpus": cpus}
    # The task asks for no CPU, so that a free GPU never waits for one; `_slots` reserves an item's CPUs for each GPU.
    # max_calls=0: by default Ray ends a worker after each task with a GPU, and importing torch again takes seconds.
    return {**options, "num_cpus": 0, "num_gpus": 1, "max_calls": 0}


def _connected(address: str) -> Any:
    """The ray module, connected to the cluster at an address."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError:
        raise DataError(
            "A cluster needs Ray, which is not installed; install it with pip install 'rarebird[cluster]'."
        ) from None
    try:
        _check_reachable(address)
        ray.init(address=address, configure_logging=False, logging_level=logging.ERROR, log_to_driver=False)
    except (OSError, RuntimeError, ValueError) as error:
        why = str(error).splitlines()[0]
        raise DataError(
            f"No Ray cluster answers at {address!r} ({why}); docs/scaling.md says how one is started."
        ) from None
    return ray


def _check_reachable(address: str) -> None:
    """Raise an OSError if nothing answers at the address; Ray itself would try for minutes."""
    where = _last_started() if address == "auto" else address
    if where:
        host, _, port = where.rpartition("://")[2].rpartition(":")
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()


def _last_started() -> str:
    """The address of the cluster that was last started on this machine; empty if Ray has not written it down."""
    note = Path(os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR", "/tmp")) / "ray" / "ray_current_cluster"
    return os.environ.get("RAY_ADDRESS") or (note.read_text(encoding="utf-8").strip() if note.is_file() else "")


def _run(work: Work, shared: Any, item: Any, key: int) -> Generator[Event, None, None]:
    yield from events_of(work, shared, item, key)

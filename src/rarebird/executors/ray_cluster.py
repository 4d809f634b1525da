"""Items on a Ray cluster: machines with GPUs and machines without pull from one queue, each as fast as it is.

The shared object is put into the cluster's store once; tasks hold a reference to it, and a machine fetches it once. Ray
retries nothing by itself, since only the driver knows what has been told: a task whose worker or machine died is given
out again here, under the same key.
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
from rarebird.executors.executor import ATTEMPTS, Closing, Event, Item, Work, WorkerLost, Yielded, events_of

GPU, CPU = "GPU", "CPU"
# Read when Ray is imported: nothing is sent anywhere, and its words on dead machines, which are no error here, stay out
# of the output.
ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS_SKIP_REGEX": "."}
# Seconds for which the cluster's size is taken as it was.
SIZE_HOLDS = 1.0
# Seconds in which a cluster's head must take a connection.
KNOCKING = 10.0


@dataclass
class _Task:
    """An item under way: on which kind of slot, and Ray's generator of what is told."""

    item: Item
    kind: str
    told: Any


class RayCluster(Closing):
    """A running Ray cluster.

    Args:
        work: What is done with an item.
        shared: What all items share.
        address: ``auto`` for the cluster that this machine belongs to, or its ``HOST:PORT``.
        cpus: CPUs of one item.
        gpus: Whether items may take a GPU, one each, beside those that take none.
        only_gpus: Whether every item takes one.

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
        self._task = {kind: self._ray.remote(**_options(kind, cpus))(_task) for kind in (GPU, CPU)}
        self._work, self._shared = work, self._ray.put(shared)
        self._again: deque[Item] = deque()
        self._tasks: list[_Task] = []
        self._size: tuple[float, dict[str, int]] = (-SIZE_HOLDS, {})
        if not self.free:
            self.close()
            raise DataError(
                f"The Ray cluster at {address!r} has no room for a trial of {cpus} CPUs; give fewer --threads, or add machines."
            )

    @property
    def free(self) -> int:
        """Slots without an item, less the items that wait to be tried again."""
        return max(0, sum(self._idle().values()) - len(self._again))

    def start(self, key: int, item: Any) -> None:
        """Begin an item where there is a slot, GPUs first, or as soon as there is one."""
        self._again.append(Item(key, item))
        self._deal()

    def wait(self, seconds: float) -> list[Event]:
        """What the cluster told since the last call."""
        self._deal()
        if not self._tasks:
            time.sleep(seconds if self._again else 0)
            return []
        generators = [task.told for task in self._tasks]
        ready, rest = self._ray.wait(generators, num_returns=1, timeout=seconds, fetch_local=False)
        if ready and rest:
            ready += self._ray.wait(rest, num_returns=len(rest), timeout=0, fetch_local=False)[0]
        return [event for task in list(self._tasks) if task.told in ready for event in self._heard(task)]

    def drop(self, key: int) -> None:
        """End an item; a task in the midst of it is interrupted, and its worker stays for the next."""
        self._again = deque(item for item in self._again if item.key != key)
        for task in [task for task in self._tasks if task.item.key == key]:
            self._tasks.remove(task)
            self._ray.cancel(task.told, force=False)

    def close(self) -> None:
        """End all items and let go of the cluster, which goes on."""
        for task in self._tasks:
            self._ray.cancel(task.told, force=True)
        self._tasks = []
        self._shared = None
        self._ray.shutdown()

    def _heard(self, task: _Task) -> list[Event]:
        """The event of a task; none where its worker died and the item will be tried again."""
        try:
            event: Event = self._ray.get(next(task.told))
        except (self._ray.exceptions.RayError, StopIteration) as error:
            self._tasks.remove(task)
            return self._died(task.item, error)
        if not isinstance(event, Yielded):
            self._tasks.remove(task)
        return [event]

    def _died(self, item: Item, error: Exception) -> list[Event]:
        item.attempts += 1
        self._size = (-SIZE_HOLDS, {})
        if item.attempts >= ATTEMPTS:
            return [WorkerLost(item.key, f"its worker died {ATTEMPTS} times, the last time of {type(error).__name__}.")]
        self._again.append(item)
        return []

    def _deal(self) -> None:
        """Waiting items to idle slots."""
        idle = self._idle()
        for kind in (GPU, CPU):
            while self._again and idle[kind] > 0:
                idle[kind] -= 1
                item = self._again.popleft()
                task = self._task[kind]
                if kind == CPU and self._slots()[GPU]:
                    # A worker without a GPU must not see one, and must not get a task with one later, when it could no
                    # longer find it.
                    task = task.options(runtime_env={"env_vars": {"CUDA_VISIBLE_DEVICES": ""}})
                self._tasks.append(_Task(item, kind, task.remote(self._work, self._shared, item.value, item.key)))

    def _idle(self) -> dict[str, int]:
        taken = [task.kind for task in self._tasks]
        return {kind: slots - taken.count(kind) for kind, slots in self._slots().items()}

    def _slots(self) -> dict[str, int]:
        """How many items each kind of slot takes at once; machines may come and go."""
        now = time.monotonic()
        if now - self._size[0] >= SIZE_HOLDS:
            there = self._ray.cluster_resources()
            gpus = int(there.get(GPU, 0)) if self._gpus else 0
            cpus = 0 if self._only_gpus else max(0, int(there.get(CPU, 0)) // self._cpus - gpus)
            self._size = (now, {GPU: gpus, CPU: cpus})
        return self._size[1]


def _options(kind: str, cpus: int) -> dict[str, Any]:
    """How Ray runs a task. Backpressure: it waits until what it told has been read, so that it can be dropped before it
    goes on."""
    options = {"num_returns": "streaming", "_generator_backpressure_num_objects": 1, "max_retries": 0}
    if kind == CPU:
        return {**options, "num_cpus": cpus}
    # No CPU is asked for, so that a free GPU never waits for one; `_slots` leaves one item's CPUs for each. And Ray
    # ends a worker after each task with a GPU unless told otherwise: to import torch anew each time would cost seconds.
    return {**options, "num_cpus": 0, "num_gpus": 1, "max_calls": 0}


def _connected(address: str) -> Any:
    """Ray, connected to the cluster at an address."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError:
        raise DataError(
            "A cluster needs Ray, which is not installed; install it with pip install 'rarebird[cluster]'."
        ) from None
    try:
        _knock(address)
        ray.init(address=address, configure_logging=False, logging_level=logging.ERROR, log_to_driver=False)
    except (OSError, RuntimeError, ValueError) as error:
        why = str(error).splitlines()[0]
        raise DataError(
            f"No Ray cluster answers at {address!r} ({why}); docs/scaling.md says how one is started."
        ) from None
    return ray


def _knock(address: str) -> None:
    """Raises an OSError where nobody listens; Ray itself would go on trying for minutes."""
    where = _current() if address == "auto" else address
    if where:
        host, _, port = where.rpartition("://")[2].rpartition(":")
        socket.create_connection((host, int(port)), timeout=KNOCKING).close()


def _current() -> str:
    """The address of the cluster that was last started on this machine; empty where Ray has left none, or has it from
    elsewhere."""
    note = Path(os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR", "/tmp")) / "ray" / "ray_current_cluster"
    return os.environ.get("RAY_ADDRESS") or (note.read_text(encoding="utf-8").strip() if note.is_file() else "")


def _task(work: Work, shared: Any, item: Any, key: int) -> Generator[Event, None, None]:
    yield from events_of(work, shared, item, key)

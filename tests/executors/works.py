"""What executors are given to do in the tests; in a file of its own, where other processes find it by name."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np


def summed(shared: dict[str, Any], item: int) -> Generator[Any, None, dict[str, Any]]:
    """Tells its process and waits for the go-ahead twice; returns what it saw of the shared array."""
    for said in ("first", "second"):
        yield said, os.getpid()
    return {"value": float(shared["array"].sum()) + item, "pid": os.getpid(), "mapped": owner(shared["array"])}


def refused(shared: Any, item: int) -> Generator[Any, None, int]:
    """Raises what cannot be pickled for an odd item."""
    if item % 2:
        raise Unportable(lambda: item)
    return item
    yield


def deadly(shared: Path, item: str) -> Generator[Any, None, str]:
    """An item ``once`` kills its worker the first time, ``always`` each time; any other is returned."""
    tried = shared / item
    attempts = len(tried.read_text()) if tried.is_file() else 0
    tried.write_text("x" * (attempts + 1))
    if item == "always" or (item == "once" and not attempts):
        os.kill(os.getpid(), signal.SIGKILL)
    return item
    yield


def slow(shared: dict[str, Any], task: Any) -> Generator[Any, None, tuple[float, dict[str, Any]]]:
    """A trial without a training: leaves a mark where it runs, takes a while, and returns a value of its recipe
    alone."""
    rate = task.recipe.optimizer.learning_rate
    mark = Path(shared["folder"]) / f"{rate:.6e}.{place()}.{os.getpid()}"
    mark.write_text("begun")
    time.sleep(shared["seconds"])
    mark.write_text("done")
    return rate, {}
    yield


def stepwise(shared: list[float], task: Any) -> Generator[Any, None, tuple[float, dict[str, Any]]]:
    """A trial that tells after each part how its rate falls short, and returns the mean."""
    values = [task.recipe.optimizer.learning_rate * factor for factor in shared]
    for parts in range(1, len(values)):
        yield parts, float(np.mean(values[:parts]))
    return float(np.mean(values)), {}


def devices(shared: Any, item: int) -> Generator[Any, None, str | None]:
    """Which GPUs an item sees."""
    time.sleep(0.5)
    return os.environ.get("CUDA_VISIBLE_DEVICES")
    yield


def place() -> str:
    """The Ray node that this runs on; empty where it is none."""
    import sys

    ray = sys.modules.get("ray")
    return ray.get_runtime_context().get_node_id() if ray is not None and ray.is_initialized() else ""


def owner(array: np.ndarray) -> str:
    """The type of what holds an array's memory in the end."""
    base: Any = array
    while isinstance(base, np.ndarray | memoryview):
        base = base.base if isinstance(base, np.ndarray) else base.obj
    return type(base).__name__


class Unportable(Exception):
    """An error that holds what no pickle can."""

    def __init__(self, held: Any) -> None:
        super().__init__("it is odd")
        self.held = held

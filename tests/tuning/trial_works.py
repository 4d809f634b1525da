"""Trials without a training, for executors in the tests; other processes can import them by name."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np

GO_ON = "go on"


def slow(shared: dict[str, Any], task: Any) -> Generator[Any, None, tuple[float, dict[str, Any]]]:
    """Leaves a file that says where it runs, takes a while, and returns the recipe's learning rate."""
    rate = task.recipe.optimizer.learning_rate
    mark = Path(shared["folder"]) / f"{rate:.6e}.{node()}.{os.getpid()}"
    mark.write_text("begun")
    time.sleep(shared["seconds"])
    mark.write_text("done")
    return rate, {}
    yield


def waiting(shared: dict[str, Any], task: Any) -> Generator[Any, None, tuple[float, dict[str, Any]]]:
    """As :func:`slow`; after ``shared["alone"]`` trials of this process, once the folder has the file ``GO_ON``."""
    gate = Path(shared["folder"]) / GO_ON
    if len(list(gate.parent.glob(f"*..{os.getpid()}"))) >= shared["alone"]:
        end = time.monotonic() + 120
        while not gate.exists() and time.monotonic() < end:
            time.sleep(0.02)
    return (yield from slow(shared, task))


def stepwise(shared: list[float], task: Any) -> Generator[Any, None, tuple[float, dict[str, Any]]]:
    """Each part's value is the learning rate times the part's factor; yields the mean after each part but the last."""
    values = [task.recipe.optimizer.learning_rate * factor for factor in shared]
    for parts in range(1, len(values)):
        yield parts, float(np.mean(values[:parts]))
    return float(np.mean(values)), {}


def refusing(shared: Exception, task: Any) -> Generator[Any, None, None]:
    """Raises the shared error."""
    raise shared
    yield


def node() -> str:
    """The Ray node that this process runs on; empty if there is none."""
    ray = sys.modules.get("ray")
    return ray.get_runtime_context().get_node_id() if ray is not None and ray.is_initialized() else ""

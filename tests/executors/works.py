"""Work for executors in the tests; in a file of its own, so that other processes can import it by name."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np


def summed(shared: dict[str, Any], item: int) -> Generator[Any, None, dict[str, Any]]:
    """Yields its process id twice; returns the sum of the shared array and the item, and what holds the array."""
    for label in ("first", "second"):
        yield label, os.getpid()
    return {"value": float(shared["array"].sum()) + item, "pid": os.getpid(), "mapped": owner(shared["array"])}


def refused(shared: Any, item: int) -> Generator[Any, None, int]:
    """Raises an error that cannot be pickled if the item is odd."""
    if item % 2:
        raise Unportable(lambda: item)
    return item
    yield


def deadly(shared: Path, item: str) -> Generator[Any, None, str]:
    """The item ``once`` kills its worker the first time, ``always`` each time; any other item is returned.

    A file named like the item counts the attempts.
    """
    tried = shared / item
    attempts = len(tried.read_text()) if tried.is_file() else 0
    tried.write_text("x" * (attempts + 1))
    if item == "always" or (item == "once" and not attempts):
        os.kill(os.getpid(), signal.SIGKILL)
    return item
    yield


def devices(shared: Any, item: int) -> Generator[Any, None, str | None]:
    """Returns which GPUs an item sees, after half a second."""
    time.sleep(0.5)
    return os.environ.get("CUDA_VISIBLE_DEVICES")
    yield


def owner(array: np.ndarray) -> str:
    """The type of the object that holds an array's memory."""
    base: Any = array
    while isinstance(base, np.ndarray | memoryview):
        base = base.base if isinstance(base, np.ndarray) else base.obj
    return type(base).__name__


class Unportable(Exception):
    """An error that cannot be pickled."""

    def __init__(self, held: Any) -> None:
        super().__init__("it is odd")
        self.held = held


def waiting(shared: Any, item: int) -> Generator[Any, None, None]:
    """Says that it has begun, and takes longer than any test."""
    yield "at work"
    time.sleep(600)

"""The log of a run for machines: one event a line, as JSON."""

from __future__ import annotations

import json
import math
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from rarebird.core.checks import DataError

# Progress that says nothing new is written once in so many seconds.
SECONDS_BETWEEN = 1.0


class JsonLog:
    """Writes events to a file, each at once; to be used as a ``with`` block.

    Args:
        path: A new file, or one that is appended to.

    Raises:
        DataError: The file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a", encoding="utf-8", buffering=1)
        except OSError as error:
            raise DataError(
                f"--log-json {path} cannot be written: {error.strerror or error}; give another file."
            ) from None
        self._said, self._at = "", float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __call__(self, kind: str, values: dict[str, Any]) -> None:
        """Write an event with its time; of a result, what ``--json`` prints."""
        if kind == "progress" and not self._is_news(values):
            return
        if kind == "finished":
            values = {
                **{key: value for key, value in values.items() if key != "result"},
                **_for_machines(values["result"]),
            }
        event = {"event": kind, "time": datetime.now(UTC).isoformat(timespec="milliseconds"), **_plain(values)}
        self._file.write(json.dumps(event, default=str, allow_nan=False) + "\n")

    def _is_news(self, values: dict[str, Any]) -> bool:
        now = time.monotonic()
        if values["what"] == self._said and now < self._at + SECONDS_BETWEEN:
            return False
        self._said, self._at = values["what"], now
        return True


def _for_machines(result: Any) -> dict[str, Any]:
    found: dict[str, Any] = result.for_machines()
    return found


def _plain(value: Any) -> Any:
    """The value with null in place of numbers that JSON lacks."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

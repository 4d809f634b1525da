"""Who is told how far the work has come, and may end it."""

from __future__ import annotations

from collections.abc import Callable

# Called with the share done (0..1) and what is being done; True from it asks for an early end that keeps what there is.
Progress = Callable[[float, str], bool]


def silent(share: float, what: str) -> bool:
    """Tells nobody, and never ends the work."""
    return False

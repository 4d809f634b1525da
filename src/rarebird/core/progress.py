"""Who is told how far the work has come, and may end it."""

from __future__ import annotations

from collections.abc import Callable

# Called with the share done (0..1) and what is being done; True from it asks for an early end that keeps what there is.
Progress = Callable[[float, str], bool]


def silent(share: float, what: str) -> bool:
    """Tells nobody, and never ends the work."""
    return False


def part_of(progress: Progress, start: float, share: float, suffix: str = "") -> Progress:
    """A callback for one part of a longer work: its 0..1 becomes `start` to `start + share` of the whole.

    Args:
        progress: The callback for the whole.
        start: Share of the whole that was done before this part.
        share: Share of the whole that this part is.
        suffix: Added to each description.
    """
    return lambda done, what: progress(start + share * done, what + suffix)

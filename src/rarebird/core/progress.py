"""Progress callbacks: they are told how much work is done, and may end it early."""

from __future__ import annotations

from collections.abc import Callable

# Called with the share done (0..1) and a description; if it returns True, the work ends early and keeps its results.
Progress = Callable[[float, str], bool]


def silent(share: float, what: str) -> bool:
    """Ignores progress, and never ends the work."""
    return False


def part_of(progress: Progress, start: float, share: float, suffix: str = "") -> Progress:
    """A callback for one part of a longer work: its 0..1 is mapped to `start`..`start + share`.

    Args:
        progress: The callback for the whole.
        start: Share of the whole that was done before this part.
        share: This part's share of the whole.
        suffix: Added to each description.
    """
    return lambda done, what: progress(start + share * done, what + suffix)

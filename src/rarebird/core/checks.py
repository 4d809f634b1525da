"""One style of argument check, and the one error for what the user gave."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DataError(ValueError):
    """The user gave data, a file, a name or an option that cannot be used.

    The message is one sentence that names the file, row, column or class, what is wrong, and what to do.
    The command line prints it as it is and exits with code 2.
    """


class LateError(DataError):
    """There is too little time for a training."""


class UnavailableError(OSError):
    """Something that the work needs is missing and not the user's data: space on a disk, a database that answers.

    The message is one sentence that names it. The command line prints it as it is and exits with code 1.
    """


def require(holds: bool, rule: str, **values: object) -> None:
    """Raise unless `holds`, stating the broken rule and the values given.

    Args:
        holds: Whether the rule holds.
        rule: The rule as a condition, for instance ``"gamma >= 0"``.
        **values: The values given, by name.

    Raises:
        ValueError: "`gamma >= 0` must hold, but got gamma=-1."
    """
    if not holds:
        given = ", ".join(f"{name}={value!r}" for name, value in values.items())
        raise ValueError(f"`{rule}` must hold, but got {given}.")


def nearest(name: str, valid: Iterable[str], most: int | None = None) -> str:
    """The end of a message about an unknown name: the nearest valid name, or all of them.

    Args:
        name: The unknown name.
        valid: The valid names.
        most: Of a long list, the most names that are said, those nearest to it; None: all.
    """
    choices = sorted(valid)
    if most is not None:
        return f"the nearest names are {', '.join(difflib.get_close_matches(name, choices, n=most, cutoff=0.3))}."
    close = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    return "valid names are " + ", ".join(choices) + "." if choices else "there are none."


def some(items: Iterable[object], most: int = 5) -> str:
    """A short enumeration for messages: the first few items, then how many more there are."""
    listed = [str(item) for item in items]
    tail = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + tail

"""A full disk: the error that names the place."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rarebird.core.checks import UnavailableError

FULL = (errno.ENOSPC, errno.EDQUOT)
# Of libraries that pass the system's error on as text: SQLite, and the writer of safetensors.
FULL_TEXTS = ("disk is full", "No space left on device", "Disk quota exceeded", "os error 28", "os error 122")
# NumPy compares what it asked for with what was written.
SHORT_WRITE = " requested and "


class DiskFullError(UnavailableError):
    """No space is left where something had to be written; the message names the place."""


def is_full(error: BaseException | None) -> bool:
    """Whether an error, or one that it came from, says that a disk is full or a quota is used up."""
    while error is not None:
        text = str(error)
        if isinstance(error, DiskFullError) or (isinstance(error, OSError) and error.errno in FULL):
            return True
        if any(part in text for part in FULL_TEXTS) or (isinstance(error, OSError) and SHORT_WRITE in text):
            return True
        error = error.__cause__ or error.__context__
    return False


def reserve(path: Path, size: int) -> None:
    """Take the space of a file on its disk: where a disk becomes full under a mapped file, the process ends without a
    word.

    Raises:
        DiskFullError: There is too little space.
    """
    with naming_the_place(path.parent), path.open("r+b" if path.exists() else "wb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.truncate(size)


@contextmanager
def naming_the_place(place: Path) -> Iterator[None]:
    """Turns the error of a full disk into one that names what was being written.

    Raises:
        DiskFullError: The disk is full.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, DiskFullError) or not is_full(error):
            raise
        raise DiskFullError(f"No space is left to write {place}; free some, or give another place.") from error

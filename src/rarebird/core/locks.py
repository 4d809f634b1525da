"""Locks that a process holds: the system ends them with the process, however it ends.

A process number does not serve: containers repeat numbers and host names.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import BaseFileLock


def hold(path: Path) -> BaseFileLock | None:
    """Lock a file, which is made if it is missing, until `release` or the end of this process.

    Returns:
        The lock; None if another process, or another holder in this one, has it.

    Raises:
        OSError: The file cannot be made or opened.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        return None
    return lock


def is_held(path: Path) -> bool:
    """Whether a process holds the lock of a file; a file that is missing has no lock."""
    if not path.is_file():
        return False
    lock = hold(path)
    if lock is None:
        return True
    lock.release()
    return False

"""Folders for what is not finished: removed at the end of the work, and where a process was killed, by the next one."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rarebird.core import locks

if TYPE_CHECKING:
    from filelock import BaseFileLock

PREFIX, LOCK = ".rarebird-", "lock"
# A folder without a lock is either about to get one, or its process was killed before; seconds until it must be old.
SECONDS_TO_LOCK = 3600.0


@contextmanager
def temporary_folder(home: Path | None = None) -> Iterator[Path]:
    """A new folder that only its user can enter, removed at the end of the block.

    Args:
        home: Where to make it; None: the system's folder for temporary files. What killed processes left there is
            removed.
    """
    folder, lock = take(home)
    try:
        yield folder
    finally:
        give_up(folder, lock)


def take(home: Path | None = None) -> tuple[Path, BaseFileLock]:
    """As `temporary_folder`, for a folder that lives longer than a block: it and its lock, for `give_up`."""
    home = Path(tempfile.gettempdir()) if home is None else home
    remove_leftovers(home)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=home))
        # Another process may just have taken the new folder for a leftover.
        with suppress(FileNotFoundError):
            lock = locks.hold(folder / LOCK)
            if lock is not None:
                return folder, lock


def give_up(folder: Path, lock: BaseFileLock) -> None:
    """Remove a folder of `take`."""
    shutil.rmtree(folder, ignore_errors=True)
    lock.release()


def remove_leftovers(home: Path) -> None:
    """Remove the folders of this user in `home` whose process has died."""
    with suppress(OSError), os.scandir(home) as found:
        for entry in list(found):
            if entry.name.startswith(PREFIX) and entry.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    _remove_if_left(Path(entry.path))


def _remove_if_left(folder: Path) -> None:
    state = folder.stat()
    if hasattr(os, "geteuid") and state.st_uid != os.geteuid():
        return
    if not (folder / LOCK).is_file():
        if time.time() - state.st_mtime > SECONDS_TO_LOCK:
            shutil.rmtree(folder, ignore_errors=True)
        return
    lock = locks.hold(folder / LOCK)
    if lock is not None:
        give_up(folder, lock)

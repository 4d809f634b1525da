"""Files and folders that are written completely or not at all: in a temporary folder beside their place, and then moved
into it."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rarebird.core.disk_space import naming_the_place
from rarebird.core.temporary_folder import temporary_folder

# Linux: renameat2 for the working folder, and its flag that swaps two names.
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
# Where these are the working name's folders, a name may lead to a stream that another program reads.
_STREAMS = ("/dev/", "/proc/")
_LONGEST_SUFFIX = 20


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A new folder to write into; it replaces `folder` when the block ends without an error, and is removed otherwise.

    Parents are created. If `folder` is a symbolic link, the link is kept and its target replaced.

    Raises:
        DiskFullError: The disk is full.
    """
    place = folder.resolve()
    place.parent.mkdir(parents=True, exist_ok=True)
    with naming_the_place(place), temporary_folder(place.parent) as temporary:
        building = temporary / "new"
        building.mkdir()  # the temporary folder itself is readable by its owner only
        yield building
        put_in_place(building, place, temporary / "old")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A name to write to; that file replaces `path` when the block ends without an error, and is removed otherwise.

    A device or a pipe is never replaced: its own name is given, and what is written goes into it.

    Raises:
        DiskFullError: The disk is full.
    """
    if is_stream(path):
        yield path
        return
    place = path.resolve()
    suffix = place.suffix if len(place.suffix) <= _LONGEST_SUFFIX else ""
    with naming_the_place(place), temporary_folder(place.parent) as temporary:
        building = temporary / f"new{suffix}"
        yield building
        put_in_place(building, place, temporary / "old")


def is_stream(path: Path) -> bool:
    """Whether a path leads to a device, a pipe or a socket, which is written into and not replaced."""
    if str(path.absolute()).startswith(_STREAMS):
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def put_in_place(new: Path, place: Path, aside: Path) -> None:
    """Move a file or folder to `place`; an earlier folder there is moved to `aside`, an earlier file is replaced.

    In one step, where the system can: no reader then sees the place empty.
    """
    is_folder = new.is_dir()
    try:
        if is_folder and place.is_dir() and not place.is_symlink():
            if exchanged(new, place):
                new.rename(aside)
                return
            place.rename(aside)
        new.replace(place)
    except OSError as error:
        # What is mounted by itself, as containers do, can be written but not replaced.
        if error.errno not in (errno.EBUSY, errno.EXDEV):
            raise
        if is_folder:
            shutil.copytree(new, place, dirs_exist_ok=True)
        else:
            shutil.copyfile(new, place)


def exchanged(one: Path, other: Path) -> bool:
    """Swap two names in one step; False where the system or the file system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    paths = (_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other))
    return bool(rename(*paths, _RENAME_EXCHANGE) == 0)

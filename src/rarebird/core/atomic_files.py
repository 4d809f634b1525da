"""Files and folders that are written completely or not at all: under a temporary name in the same folder, and then
renamed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A new folder to write into; it replaces `folder` when the block ends without an error, and is removed otherwise.

    Parents are created. If `folder` is a symbolic link, the link is kept and its target replaced.
    """
    place = folder.resolve()
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    try:
        building = temporary / "new"
        building.mkdir()  # the temporary folder itself is readable by its owner only
        yield building
        if place.is_dir():
            # Moved away first: two renamings replace the old folder, and no reader sees it half removed.
            place.rename(temporary / "old")
        building.rename(place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A name to write to; that file replaces `path` when the block ends without an error, and is removed otherwise."""
    place = path.resolve()
    building = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        yield building
        building.replace(place)
    finally:
        building.unlink(missing_ok=True)

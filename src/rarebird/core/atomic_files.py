"""Files and folders that are written whole or not at all: under a temporary name beside their place, and then renamed
into it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A new folder to write into; it takes the place of `folder` when the block ends well, and is gone when it does
    not.

    Parents are created; a symbolic link is followed, and stays.
    """
    place = folder.resolve()
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    try:
        building = temporary / "new"
        building.mkdir()  # not the temporary folder itself, which its owner alone may read
        yield building
        if place.is_dir():
            # Moved away first: what stood there is replaced by two renamings, not by the removal of its files one by
            # one.
            place.rename(temporary / "old")
        building.rename(place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A name to write to; that file takes the place of `path` when the block ends well, and is gone when it does
    not."""
    place = path.resolve()
    building = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        yield building
        building.replace(place)
    finally:
        building.unlink(missing_ok=True)

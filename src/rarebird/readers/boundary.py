"""The boundary around all readers: whatever a file from elsewhere makes a library raise, the user gets one sentence.

A reader names what it knows to be wrong (`DataError`). Parsers raise much more on damaged files, and each of their
versions something else, so that no list of exceptions would ever be complete.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rarebird.core.checks import DataError, UnavailableError

_LONGEST = 200
# A path has lost one of the two strokes.
_ADDRESS = re.compile(r"(\w[\w+.-]+):/+(.+)")


@contextmanager
def boundary(path: Path) -> Iterator[None]:
    """Everything in this block that is raised while `path` is read becomes a `DataError`.

    Raises:
        DataError: There is nothing at the path, it is neither a file nor a folder, it cannot be opened, does not fit
            into the memory, or is damaged.
    """
    try:
        _check_kind(path)
        yield
    except (DataError, UnavailableError):
        raise
    except MemoryError as error:
        raise DataError(f"{path} does not fit into the free memory; split it, or use a larger machine.") from error
    except OSError as error:
        # A path inside it may be the one that cannot be read, such as a folder without permission.
        where = error.filename if isinstance(error.filename, str) else path
        reason = f": {error.strerror[0].lower()}{error.strerror[1:]}" if error.strerror else ""
        raise DataError(f"{where} cannot be read{reason}; check the path and its permissions.") from error
    except Exception as error:  # a file from elsewhere may fail in any way
        raise DataError(
            f"{path} cannot be read: it is damaged, or holds what its format does not allow ({_said(error)}); write "
            "the file again."
        ) from error


def _check_kind(path: Path) -> None:
    """Refuse what is neither a file nor a folder: a pipe or a device may have no end."""
    if not path.exists():
        if address := _ADDRESS.match(path.as_posix()):
            raise DataError(
                f"{address[1]}://{address[2]} is an address, and rarebird reads files and folders of this machine; "
                "download it, and give the path."
            )
        raise DataError(f"There is no file or folder {path}; check the path.")
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise DataError(f"{path} is a device or a pipe; save the rows as a file first, and give that.")


def _said(error: Exception) -> str:
    """The first line of a library's error, shortened: it may quote the file."""
    lines = str(error).strip().splitlines()
    return ": ".join([type(error).__name__, *lines[:1]])[:_LONGEST]

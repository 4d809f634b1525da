"""The arrays in an archive of NumPy: headers are checked first, and what they declare is never trusted.

An archive is a zip, and each member may be any file under any name. Only members in NumPy's own format are arrays; one
that is pickled could run code, and one that declares more than it holds, or more than fits into the memory, is never
unpacked.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from rarebird.core.checks import DataError
from rarebird.core.memory import require_memory

# Memory that an array takes while it becomes rows, as a multiple of its own: unpacked, typed and copied.
MEMORY = 3.0
_SUFFIX = ".npy"
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def keys(path: Path) -> list[str]:
    """The keys of the arrays in an archive.

    Raises:
        DataError: It is no archive, or holds an array that cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if info.filename.endswith(_SUFFIX)]
            sizes = {info.filename.removesuffix(_SUFFIX): _bytes(archive, info, path) for info in members}
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    except DataError:
        raise
    except Exception as error:  # a damaged archive may fail in any way
        kind = "a damaged" if zipfile.is_zipfile(path) else "not an"
        raise DataError(f"{path} is {kind} .npz archive; write it with numpy.savez.") from error
    require_memory(MEMORY * sum(sizes.values()), f"{path} unpacked", "split it, or use a larger machine")
    if len(sizes) < len(members):
        raise DataError(f"{path} holds two arrays of one name; write it with numpy.savez.")
    return list(sizes)


def load(path: Path, names: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Some arrays, in the byte order of this machine: role -> array, for role -> key.

    Raises:
        DataError: An array is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return {role: _array(archive, key) for role, key in names.items()}
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, NotImplementedError) as error:
        raise DataError(f"{path} is damaged; write it again with numpy.savez.") from error


def _array(archive: zipfile.ZipFile, key: str) -> np.ndarray:
    with archive.open(key + _SUFFIX) as file:
        array = np.asarray(np.lib.format.read_array(file, allow_pickle=False))
    # Parsers of other libraries read only the machine's own order.
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _bytes(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> int:
    """Number of bytes that one array's header declares."""
    key = info.filename.removesuffix(_SUFFIX)
    with archive.open(info) as file:
        shape, _, dtype = _HEADERS[np.lib.format.read_magic(file)](file)
    if dtype.hasobject:
        raise DataError(
            f"{key!r} of {path} holds pickled Python objects, which could run code when loaded; "
            "save it as an array of numbers or of text."
        )
    size = math.prod(shape) * dtype.itemsize
    # Without bytes, an array could declare any number of rows.
    is_endless = not size and max(shape, default=0) > info.file_size
    if min(shape, default=0) < 0 or size > info.file_size or is_endless:
        raise DataError(f"{key!r} of {path} declares the shape {shape}, but holds fewer bytes; write the file again.")
    return size

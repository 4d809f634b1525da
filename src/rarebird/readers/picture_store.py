"""Many picture files -> one array, by a pool of threads: in memory, or memory-mapped and reused by the next run.

Pillow decodes everything. Torchvision's JPEG decoder is about 1.4 times as fast on 32-pixel pictures (13,000 against
9,000 per second), but no faster on larger ones, where Pillow's reduced JPEG decoding catches up; and with one decoder
orientation, palettes and CMYK are always treated in the same way.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import numpy as np

from rarebird.core import temporary_folder
from rarebird.core.checks import DataError
from rarebird.core.disk_space import reserve
from rarebird.readers.pictures import Header, Shape, decode_one, header, quiet, reason

IN_MEMORY = 1 << 30
"""Bytes of decoded pictures above which they are memory-mapped."""
_CHUNK = 64
# Pictures of each thread that are decoded to measure the time.
_MEASURED = 2

Item = TypeVar("Item")


def headers(files: Sequence[Path]) -> list[Header]:
    """The readable headers of the files, in order."""

    def read(rows: range) -> list[Header]:
        readable = []
        for row in rows:
            # A broken file can raise any error in a decoder; `decode` will report it.
            with suppress(Exception):
                readable.append(header(files[row]))
        return readable

    return [head for part in _in_threads(read, len(files)) for head in part]


def decode(
    files: Sequence[Path], shape: Shape, *, deep: bool, cache: Path | None, on_disk: bool = False
) -> tuple[np.ndarray, dict[int, str]]:
    """All pictures at the working shape; the aspect ratio is not kept.

    Up to 1 GiB they stay in memory and nothing is written. Above that they are written to a memory-mapped file in
    `cache`, which is reused as long as the working shape and the files' paths, sizes and times of change are the same;
    without `cache`, to a temporary folder that is removed with the array.

    Args:
        files: n paths.
        shape: Channels (1 or 3), height and width.
        deep: Whether any picture of the data set has more than 8 bits.
        cache: Folder for pictures that do not fit in memory; created if needed.
        on_disk: Whether they are memory-mapped whatever their size.

    Returns:
        ``(n, channels, height, width)`` uint8, or float32 in 0..1 if `deep`; and row -> reason, for rows that could not
        be read and are 0.

    Raises:
        DataError: There is not enough free disk space for the memory-mapped file.
    """
    dtype = np.dtype(np.float32 if deep else np.uint8)
    if not on_disk and len(files) * int(np.prod(shape)) * dtype.itemsize <= IN_MEMORY:
        array = np.zeros((len(files), *shape), dtype)
        return array, _fill(array, files)
    if cache is not None:
        return _mapped(files, shape, dtype, cache)
    folder, lock = temporary_folder.take()
    try:
        array, reasons = _mapped(files, shape, dtype, folder)
    except BaseException:
        temporary_folder.give_up(folder, lock)
        raise
    weakref.finalize(array, temporary_folder.give_up, folder, lock)
    return array, reasons


def seconds_to_decode(files: Sequence[Path], shape: Shape, *, deep: bool) -> float:
    """Seconds that each file takes, in all threads together, measured on the first of them.

    Args:
        files: At least one path, in an order that tells nothing.
        shape: Channels, height and width to decode at.
        deep: Whether any picture has more than 8 bits.
    """
    few = files[: _MEASURED * _threads()]
    array = np.zeros((len(few), *shape), np.float32 if deep else np.uint8)
    start = time.monotonic()
    _fill(array, few)
    return (time.monotonic() - start) / len(few)


def _fill(array: np.ndarray, files: Sequence[Path]) -> dict[int, str]:
    """Decode each file into its row of `array`; row -> reason, for files that could not be read."""
    shape: Shape = (array.shape[1], array.shape[2], array.shape[3])
    deep = array.dtype == np.float32

    def work(rows: range) -> list[tuple[int, str]]:
        broken = []
        for row in rows:
            try:
                array[row] = decode_one(files[row], shape, deep=deep)
            except Exception as error:  # a broken file can raise any error in a decoder
                broken.append((row, reason(error)))
        return broken

    return dict(pair for part in _in_threads(work, len(files)) for pair in part)


def _in_threads(work: Callable[[range], Item], n: int) -> list[Item]:
    """`work` on consecutive ranges of 0..n, in several threads; results in order."""
    pool = ThreadPoolExecutor(_threads())
    # A few large pictures keep all threads busy to the end only in small ranges.
    chunk = min(_CHUNK, max(1, n // (8 * _threads())))
    try:
        with quiet():
            return list(pool.map(work, [range(start, min(start + chunk, n)) for start in range(0, n, chunk)]))
    finally:
        pool.shutdown(cancel_futures=True)


def _threads() -> int:
    """One thread per CPU of this process, at most 8."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cpus, 8)


def _mapped(files: Sequence[Path], shape: Shape, dtype: np.dtype, folder: Path) -> tuple[np.ndarray, dict[int, str]]:
    """Decoded pictures as a read-only memory map: the file in `folder`, or a new one that is renamed when complete."""
    store = folder / f"pictures-{_key(files, shape, dtype)}.npy"
    stored = _reopened(store, (len(files), *shape), dtype)
    if stored is not None:
        return stored
    folder.mkdir(parents=True, exist_ok=True)
    size, free = len(files) * int(np.prod(shape)) * dtype.itemsize, shutil.disk_usage(folder).free
    if size > free:
        raise DataError(
            f"{folder} has {free / 2**30:.1f} GiB of free space, but the decoded pictures take {size / 2**30:.1f} GiB; "
            "free some space, or choose a smaller image size."
        )
    partial = store.with_suffix(f".{os.getpid()}.partial")
    try:
        array = np.lib.format.open_memmap(partial, mode="w+", dtype=dtype, shape=(len(files), *shape))
        reserve(partial, partial.stat().st_size)
        reasons = _fill(array, files)
        array.flush()
        del array  # some systems do not rename a file that is mapped
        _write_reasons(store.with_suffix(".json"), reasons)
        partial.replace(store)
    finally:
        partial.unlink(missing_ok=True)
    return np.load(store, mmap_mode="r"), reasons


def _write_reasons(path: Path, reasons: dict[int, str]) -> None:
    partial = path.with_suffix(f".{os.getpid()}.partial.json")
    partial.write_text(json.dumps(reasons), encoding="utf-8")
    partial.replace(path)


def _reopened(store: Path, shape: tuple[int, ...], dtype: np.dtype) -> tuple[np.ndarray, dict[int, str]] | None:
    """An earlier run's pictures; None if they are absent, incomplete or otherwise wrong."""
    try:
        array = np.load(store, mmap_mode="r", allow_pickle=False)
        reasons = json.loads(store.with_suffix(".json").read_text(encoding="utf-8"))
        whole = array.shape == shape and array.dtype == dtype
        return (array, {int(row): str(why) for row, why in reasons.items()}) if whole else None
    except (OSError, EOFError, ValueError, AttributeError):
        return None


def _key(files: Sequence[Path], shape: Shape, dtype: np.dtype) -> str:
    """A digest of everything that the decoded pictures depend on."""
    digest = hashlib.sha256(f"1 {shape} {dtype}".encode())
    for path in files:
        try:
            state = path.stat()
            digest.update(b"%b %d %d\0" % (os.fsencode(path.resolve()), state.st_size, state.st_mtime_ns))
        except OSError:
            digest.update(b"%b absent\0" % os.fsencode(path))
    return digest.hexdigest()[:24]

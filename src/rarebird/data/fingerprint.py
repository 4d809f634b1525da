"""A short name for the rows of a data set, and an exact digest of each row; the same in every process."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rarebird.core.checks import require
from rarebird.data.dataset import Dataset, Frame, Pixels
from rarebird.data.stored_frame import StoredFrame

if TYPE_CHECKING:
    import pandas as pd

_CHUNK_BYTES = 64_000_000
_DIGEST_BYTES = 16
_MULTIPLIER = 0x9E3779B97F4A7C15
# Cells that are digested together.
_BLOCK_CELLS = 2**20


def fingerprint(dataset: Dataset) -> str:
    """The first 16 hexadecimal digits of a SHA-256 over content, order, labels and weights of the rows.

    File names, ids and the name of the data set do not count. Pictures are read in chunks, so that a memory-mapped
    source stays on disk.
    """
    digest = hashlib.sha256()
    for word in (dataset.kind, dataset.task, *dataset.classes):
        digest.update(word.encode() + b"\0")
    if isinstance(dataset.source, Frame):
        names = list(dataset.source.frame.columns)
        digest.update(b"".join(str(name).encode() + b"\0" for name in names))
        digest.update(table_digests(dataset.source, dataset.index, names).tobytes())
    else:
        array = _array(dataset)
        # The length of the array of series does not count: it depends on the padding.
        digest.update(f"{array.dtype} {array.shape[1:] if dataset.kind == 'image' else array.shape[1]}".encode())
        digest.update(row_digests(dataset).tobytes())
    for numbers in (dataset.y, dataset.weight):
        digest.update(b"-" if numbers is None else np.ascontiguousarray(numbers, dtype="<f8").tobytes())
    return digest.hexdigest()[:16]


def raw_chunks(dataset: Dataset) -> Iterator[Any]:
    """The raw pictures or series in order, about 64 MB at a time: pixel arrays, or (values, lengths)."""
    step = max(1, _CHUNK_BYTES // max(1, _array(dataset)[:1].nbytes))
    for start in range(0, len(dataset), step):
        yield dataset.source.rows(dataset.index[start : start + step])


def row_digests(dataset: Dataset) -> np.ndarray:
    """``(n,)`` 16-byte digests of the pictures or series: equal where the rows are equal value by value.

    Values beyond a series' own length do not count, so that differently padded copies are equal.
    """
    digests: list[bytes] = []
    for part in raw_chunks(dataset):
        if isinstance(part, tuple):
            digests += [_digest(row[:, :length]) for row, length in zip(*part, strict=True)]
        else:
            # A Python loop, but each pass hashes a whole picture in C: as fast as memory can be read.
            digests += [_digest(row) for row in part]
    # A void type and not bytes: NumPy strips trailing zeros from the latter.
    return np.frombuffer(b"".join(digests), dtype=f"V{_DIGEST_BYTES}")


def table_digests(
    source: Frame, index: np.ndarray, names: Sequence[Any], change: Callable[[np.ndarray], np.ndarray] | None = None
) -> np.ndarray:
    """``(n,)`` uint64 digests of a table's rows, equal where their columns `names` are equal; computed some rows at a
    time, so that the memory does not depend on how many there are.

    A table on disk is read once for its rows and columns, whoever asks for them: the digests are kept.

    Args:
        source: The table.
        index: ``(n,)`` its rows.
        names: The columns that count, in this order.
        change: What is done to floating-point numbers before, ``(n, columns)`` each; None: nothing.
    """
    if change is not None or not isinstance(source, StoredFrame):
        return _digests(source, index, [names], change)[0]
    if tuple(names) not in source.digests:
        if 2 * len(index) < len(source):
            return _digests(source, index, [names], None)[0]
        choices = {tuple(names), tuple(source.frame.columns)} - set(source.digests)
        source.digests.update(zip(choices, _digests(source, np.arange(len(source)), list(choices), None), strict=True))
    kept: np.ndarray = source.digests[tuple(names)][index]
    return kept


def _digests(
    source: Frame,
    index: np.ndarray,
    choices: Sequence[Sequence[Any]],
    change: Callable[[np.ndarray], np.ndarray] | None,
) -> list[np.ndarray]:
    """`table_digests` for several choices of columns, by one read of the rows."""
    names = list(dict.fromkeys(name for choice in choices for name in choice))
    place = {name: number for number, name in enumerate(names)}
    powers = np.zeros((len(names), len(choices)), np.uint64)
    for number, choice in enumerate(choices):
        # Digests of columns are joined by a polynomial in an odd multiplier, modulo 2**64.
        own = np.cumprod(np.full(len(choice), _MULTIPLIER, np.uint64))[::-1]
        powers[[place[name] for name in choice], number] = own
    order = source.reading_order(index)
    digests = np.empty((len(index), len(choices)), np.uint64)
    start = 0
    for frame in source.only(names).chunks(index[order]):
        digests[order[start : start + len(frame)]] = _joined(frame, powers, change)
        start += len(frame)
    return list(digests.T)


def _joined(frame: pd.DataFrame, powers: np.ndarray, change: Callable[[np.ndarray], np.ndarray] | None) -> np.ndarray:
    """``(n, choices)`` digests of all columns of a frame, each times its powers: columns of numbers many at a time,
    because a call for each of thousands takes long."""
    import pandas as pd

    digests = np.zeros((len(frame), powers.shape[1]), np.uint64)
    is_number = np.array([pd.api.types.is_numeric_dtype(dtype) for dtype in frame.dtypes], dtype=bool)
    is_float = np.array([pd.api.types.is_float_dtype(dtype) for dtype in frame.dtypes], dtype=bool)
    step = max(1, _BLOCK_CELLS // max(1, len(frame)))
    for chosen, changed in ((is_number & ~is_float, None), (is_float, change)):
        places = np.flatnonzero(chosen)
        for block in (places[start : start + step] for start in range(0, len(places), step)):
            numbers = frame.iloc[:, block].to_numpy(dtype=np.float64, na_value=np.nan)
            digests += _number_digests(numbers if changed is None else changed(numbers)) @ powers[block]
    for place in np.flatnonzero(~is_number).tolist():
        digests += column_digests(frame.iloc[:, place])[:, None] * powers[place]
    return digests


def _number_digests(numbers: np.ndarray) -> np.ndarray:
    """uint64 digests of float64 numbers, of the same shape."""
    import pandas as pd

    # Adding zero turns -0.0 into 0.0.
    digests: np.ndarray = pd.util.hash_array(numbers.ravel() + 0.0).reshape(numbers.shape)
    return digests


def column_digests(column: pd.Series) -> np.ndarray:
    """``(n,)`` uint64 digests of a column's values: the same for equal numbers of any type, and for all missing
    values."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column):
        return _number_digests(column.to_numpy(dtype=np.float64, na_value=np.nan))
    codes, values = pd.factorize(column)
    # The type is part of the text, so that the number 1 and the text "1" differ. The last entry, which code -1 picks,
    # is for missing values.
    texts = [f"{type(value).__name__}:{value}" for value in values] + [""]
    return pd.util.hash_array(np.array(texts, dtype=object), categorize=False)[codes]


def _array(dataset: Dataset) -> np.ndarray:
    source = dataset.source
    require(not isinstance(source, Frame), "pictures or series", kind=dataset.kind)
    return source.array if isinstance(source, Pixels) else source.values  # type: ignore[union-attr]


def _digest(row: np.ndarray) -> bytes:
    return hashlib.blake2b(row.tobytes(), digest_size=_DIGEST_BYTES).digest()

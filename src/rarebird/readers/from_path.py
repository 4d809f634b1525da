"""`rarebird.read`: the rows of a path, for Python code."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from rarebird import readers
from rarebird.core.checks import nearest
from rarebird.core.python_words import in_python_words, python_words
from rarebird.data.dataset import Splits
from rarebird.readers.options import ReadOptions


@in_python_words
def read(path: str | Path, options: ReadOptions | None = None, **named: Any) -> Splits:
    """Read a data set as the commands do.

    Args:
        path: A folder of pictures, a table, series, or an archive of arrays.
        options: How to read it.
        **named: Fields of `ReadOptions`, such as ``target="outcome"``.

    Returns:
        Training rows, with validation and test rows where the data come split, and notes.

    Raises:
        DataError: There is nothing that can be read.
        TypeError: An unknown option.
    """
    known = [field.name for field in fields(ReadOptions)]
    if unknown := named.keys() - set(known):
        raise TypeError(f"read() has no option {min(unknown)!r}; {nearest(min(unknown), known)}")
    if isinstance(named.get("pictures"), str):
        named["pictures"] = Path(named["pictures"])
    splits = readers.read(Path(path), replace(options or ReadOptions(), **named))
    return replace(splits, notes=tuple(map(python_words, splits.notes)))

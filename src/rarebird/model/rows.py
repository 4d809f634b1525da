"""Rows in the form that a model needs: read from a path, or made of what Python code holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rarebird import readers
from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset, Pixels, Splits, UnreadRow
from rarebird.data.schema import Schema
from rarebird.data.spec import InputSpec
from rarebird.readers import compressed, picture_arrays, picture_lists
from rarebird.readers.options import ReadOptions, remembered_target
from rarebird.readers.python import from_arrays


@dataclass(frozen=True, eq=False)
class RowsToPredict:
    """All rows that were given, in their order: those that could be read, and the others.

    Attributes:
        data: The rows that were read.
        unread: The rows that could not be read.
        notes: Sentences of the reader.
        part: ``test``, ``val`` or ``train``: which part of the given data they are.
    """

    data: Dataset
    unread: tuple[UnreadRow, ...] = ()
    notes: tuple[str, ...] = ()
    part: str = "train"

    def __len__(self) -> int:
        return len(self.data) + len(self.unread)

    @property
    def places(self) -> np.ndarray:
        """``(n_read,)`` the position of each row of `data` among all rows."""
        return np.setdiff1d(np.arange(len(self)), [row.place for row in self.unread])

    @property
    def ids(self) -> np.ndarray:
        """``(n,)`` the user's names of all rows."""
        if not self.unread:
            return self.data.ids
        return self.spread(self.data.ids, {row.place: row.id for row in self.unread})

    @property
    def reasons(self) -> np.ndarray:
        """``(n,)`` why a row could not be read; empty for the others."""
        return self.spread(np.full(len(self.data), "", dtype=object), {row.place: row.reason for row in self.unread})

    def spread(self, values: Any, missing: Mapping[int, object] | object = None) -> np.ndarray:
        """``(n, ...)`` values of the rows that were read, with `missing` (or its entry for the place) for the others.

        Args:
            values: ``(n_read, ...)``.
            missing: One value for all other rows, or position -> value.
        """
        known: np.ndarray = _objects(values) if isinstance(values, list) else np.asarray(values)
        if not self.unread:
            return known
        whole = np.empty((len(self), *known.shape[1:]), known.dtype if known.dtype.kind == "f" else object)
        whole[self.places] = known
        for row in self.unread:
            whole[row.place] = missing[row.place] if isinstance(missing, Mapping) else missing
        return whole


def to_predict(splits: Splits) -> RowsToPredict:
    """The test rows where the data came split, without them the validation rows, otherwise all rows."""
    part = splits.judged_part
    names = {"test": "test", "val": "validation"}
    notes = [f"The data are split: only their {names[part]} rows are used."] if part in names else []
    unread = tuple(row for row in splits.unread if row.part == part)
    return RowsToPredict(getattr(splits, part), unread, (*splits.notes, *notes), part)


def read(spec: InputSpec, target: str, path: Path, labelled: bool, options: ReadOptions | None = None) -> Splits:
    """Rows of a path as a model needs them: of its kind and task, with its target, channels and size of pictures.

    Args:
        spec: What the model takes.
        target: The target's name in its training data.
        path: The rows.
        labelled: Whether the rows must have a target.
        options: How to read them otherwise.

    Raises:
        DataError: The rows cannot be read, or are of another kind.
    """
    options = options or ReadOptions(role="rows")
    if options.kind is not None and options.kind != spec.kind:
        raise DataError(
            f"The model was trained on data of kind {spec.kind!r}, so it cannot read {path} as {options.kind!r}."
        )
    return readers.read(
        path,
        replace(
            options,
            kind=spec.kind,
            task=spec.task,
            target=options.target or _target(path, spec, target),
            labelled=labelled,
            image_shape=(spec.channels, spec.height, spec.width) if spec.kind == "image" else None,
            channels=spec.channels if spec.kind == "series" else None,
        ),
    )


def _target(path: Path, spec: InputSpec, target: str) -> str | None:
    """The target's name in the training data, if it also names a column of `path`."""
    if spec.kind == "image" and compressed.suffix(path) in readers.TEXT and path.is_file():
        return picture_lists.target_in(path, target)
    return remembered_target(path, spec.kind, target)


def of_python(spec: InputSpec, target: str, rows: Any, schema: Schema | None) -> RowsToPredict:
    """Rows that Python code holds, for a model: a path, a frame, arrays as for `from_arrays`, a `Dataset` or `Splits`.

    Args:
        spec: What the model takes.
        target: The target's name in its training data.
        rows: What Python code holds.
        schema: How the cells of a table are read.

    Raises:
        DataError: They cannot be read or do not fit the model.
    """
    if isinstance(rows, str | Path):
        options = ReadOptions(role="rows", schema=schema)
        return to_predict(read(spec, target, Path(rows), labelled=False, options=options))
    if isinstance(rows, Splits):
        return to_predict(rows)
    data = rows if isinstance(rows, Dataset) else from_arrays(rows, kind=spec.kind, schema=schema)
    if data.kind != spec.kind:
        raise DataError(f"The model was trained on data of kind {spec.kind!r}, but the rows are of kind {data.kind!r}.")
    shape = (spec.channels, spec.height, spec.width)
    if isinstance(data.source, Pixels) and data.source.array.shape[1:] != shape:
        data = replace(data, source=Pixels(picture_arrays.fitted(data.source.array, shape)))
    return RowsToPredict(replace(data, task=spec.task))


def _objects(values: list[Any]) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array

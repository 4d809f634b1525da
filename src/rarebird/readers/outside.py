"""Rows of other sources: read as the training rows are, with labels and columns of the training rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rarebird import readers
from rarebird.core.checks import DataError, nearest, some
from rarebird.data.dataset import Curves, Dataset, Frame, Outside, Pixels, Source, Splits
from rarebird.data.fingerprint import fingerprint
from rarebird.readers import label_map
from rarebird.readers.options import ReadOptions, remembered_target

if TYPE_CHECKING:
    import pandas as pd

ROLE = "rows of another source"
# Share of a column's values that may be no numbers where the training rows have numbers.
MOST_TEXT = 0.5


def with_outside(data: Splits, paths: Sequence[Path], maps: Sequence[Path], options: ReadOptions) -> Splits:
    """The rows of a request with those of other sources.

    Args:
        data: The rows as they were read.
        paths: One per source.
        maps: Label maps: none, one for all sources, or one per source in their order.
        options: How `data` was read.

    Raises:
        DataError: A source or map cannot be used.
    """
    if maps and not paths:
        raise DataError("--label-map is for the labels of --external; give the rows with --external.")
    if len(maps) > 1 and len(maps) != len(paths):
        raise DataError(
            f"There are {len(maps)} label maps for {len(paths)} sources; give one --label-map for all, or one for each "
            "--external in the same order."
        )
    labels = [label_map.read(path) for path in maps]
    mapped = labels * len(paths) if len(labels) == 1 else labels or [{}] * len(paths)
    found = [_read(path, data.train, own, options) for path, own in zip(paths, mapped, strict=True)]
    notes = tuple(note for splits, _ in found for note in splits.notes if note not in data.notes)
    return replace(data, outside=tuple(outside for _, outside in found), notes=(*data.notes, *notes))


def _read(path: Path, train: Dataset, labels: Mapping[str, str], options: ReadOptions) -> tuple[Splits, Outside]:
    as_training_rows = replace(
        options,
        role=ROLE,
        kind=train.kind,
        task=train.task,
        target=options.target or remembered_target(path, train.kind, train.target),
        groups=None,
        groups_pattern=None,
        weight=None,
        time=None,
        gap=None,
        image_shape=train.source.array.shape[1:] if isinstance(train.source, Pixels) else None,
        schema=train.known_schema,
    )
    read = readers.read(path, as_training_rows)
    outside = fitted(read.train, train, labels)
    left = [name for name, part in (("validation", read.val), ("test", read.test)) if part is not None]
    if left:
        note = f"{path} comes with {' and '.join(left)} rows, which do not join; its training rows may."
        read = replace(read, notes=(*read.notes, note))
    return read, outside


def fitted(rows: Dataset, train: Dataset, labels: Mapping[str, str] | None = None) -> Outside:
    """Rows of another source with the classes, columns and channels of the training rows.

    Args:
        rows: As they were read.
        train: Training rows.
        labels: Label of the source -> own label; an empty one leaves the rows out. None: the labels are own ones.

    Raises:
        DataError: The rows are of another kind or task, or labels, columns or channels cannot be matched.
    """
    if rows.kind != train.kind or rows.task != train.task:
        raise DataError(
            f"{rows.name} holds data of kind {rows.kind!r} for {rows.task}, but {train.name} holds data of kind "
            f"{train.kind!r} for {train.task}; only rows of the same sort can join."
        )
    if rows.y is None or not len(rows):
        raise DataError(f"{rows.name} has no rows with labels, so that none can join; give labelled rows.")
    labelled, findings = _with_own_labels(rows, train, labels)
    source, absent, more = with_own_columns(labelled, train)
    bare = bare_rows(labelled, source, train)
    return Outside(bare, len(bare), absent=absent, findings=(*findings, *more), fingerprint=fingerprint(bare))


def bare_rows(rows: Dataset, source: Any, train: Dataset) -> Dataset:
    """Rows of another source with the columns of the training rows, and without what belongs to the source alone:
    weights, groups, copies and times.

    Args:
        rows: The rows, all of a source.
        source: What `with_own_columns` makes of them.
        train: Training rows.
    """
    return replace(
        rows,
        source=source,
        index=np.arange(len(rows)),
        weight=None,
        group=None,
        copies=None,
        time=None,
        gap=None,
        reading=train.reading,
        target=train.target,
    )


def _with_own_labels(rows: Dataset, train: Dataset, labels: Mapping[str, str] | None) -> tuple[Dataset, list[str]]:
    """The rows with codes into the training rows' classes, and what was left out."""
    if train.task == "regression":
        if labels:
            raise DataError("A label map is for classes, but the target is a number; leave out --label-map.")
        return rows, []
    labels = labels or {}
    for label, own in labels.items():
        if own and own not in train.classes:
            raise DataError(
                f"The label map gives {label!r} the label {own!r}, which {train.name} does not have; "
                f"{nearest(own, train.classes, 5)}"
            )
    mapped = [labels.get(label, label) for label in rows.classes]
    counts = np.bincount(rows.codes, minlength=rows.n_classes)
    unknown = [
        f"{label!r} ({count} rows)"
        for label, own, count in zip(rows.classes, mapped, counts, strict=True)
        if own and own not in train.classes and count
    ]
    if unknown:
        raise DataError(
            f"{rows.name} has labels that {train.name} does not have: {some(unknown)}. Give --label-map with a line "
            f"for each (label,own label; nothing after the comma leaves its rows out); own labels are "
            f"{some(map(repr, train.classes))}."
        )
    place = {label: code for code, label in enumerate(train.classes)}
    lookup = np.array([place.get(own, -1) for own in mapped], dtype=np.int64)
    codes = lookup[rows.codes]
    kept = codes >= 0
    if not kept.any():
        raise DataError(f"The label map leaves out all rows of {rows.name}; give own labels for some.")
    findings = [] if kept.all() else [f"{int((~kept).sum())} rows are left out by the label map"]
    return replace(rows.take(kept), y=codes[kept], classes=train.classes), findings


def with_own_columns(rows: Dataset, train: Dataset) -> tuple[Source, tuple[str, ...], list[str]]:
    """A source with the columns (or pixel type, or channels) of the training rows, columns that it lacks, and
    findings."""
    if isinstance(train.source, Frame):
        return _with_columns(rows, train)
    raw = rows.raw()
    if isinstance(train.source, Pixels):
        dtype = train.source.array.dtype
        if raw.dtype != dtype:
            raw = np.rint(raw * 255).astype(np.uint8) if dtype == np.uint8 else (raw / 255).astype(np.float32)
        return Pixels(raw), (), []
    values, lengths = raw
    channels = train.source.values.shape[1]
    if values.shape[1] != channels:
        raise DataError(
            f"{rows.name} has series of {values.shape[1]} channels, but {train.name} has {channels}; give the same."
        )
    return Curves(values, lengths), (), []


def _with_columns(rows: Dataset, train: Dataset) -> tuple[Source, tuple[str, ...], list[str]]:
    import pandas as pd

    own, frame = train.raw(), rows.raw()
    absent = tuple(str(name) for name in own.columns if name not in frame.columns)
    extra = [str(name) for name in frame.columns if name not in own.columns]
    if len(absent) == len(own.columns):
        raise DataError(
            f"{rows.name} has none of the columns of {train.name} ({some(map(repr, own.columns))}); its columns are "
            f"{some(map(repr, frame.columns))}."
        )
    findings = []
    if absent:
        findings.append(f"columns that it lacks, and that are empty in its rows: {some(map(repr, absent))}")
    if extra:
        findings.append(f"columns that only it has, and that are not used: {some(map(repr, extra))}")
    columns: dict[str, Any] = {}
    for name in own.columns:
        if str(name) in absent:
            columns[name] = pd.Series([None] * len(frame), dtype=own[name].dtype if own[name].dtype == object else None)
            continue
        columns[name], finding = _numbers_as(frame[name], own[name], rows.name, train.name)
        findings += finding
    return Frame(pd.DataFrame(columns)), absent, findings


def _numbers_as(values: pd.Series, own: pd.Series, name: str, own_name: str) -> tuple[pd.Series, list[str]]:
    """A column's values, as numbers where the training rows have numbers."""
    import pandas as pd

    is_number = pd.api.types.is_numeric_dtype(own) and not pd.api.types.is_bool_dtype(own)
    if not is_number or pd.api.types.is_numeric_dtype(values):
        return values, []
    numbers = pd.to_numeric(values, errors="coerce")
    strange = numbers.isna() & values.notna()
    if strange.sum() > MOST_TEXT * max(int(values.notna().sum()), 1):
        raise DataError(
            f"Column {str(own.name)!r} of {name} holds text such as {values[strange].iloc[0]!r}, but numbers in "
            f"{own_name}; convert it, or remove the column."
        )
    finding = f"column {str(own.name)!r} has {int(strange.sum())} values that are no numbers, which are empty"
    return numbers, [finding] if strange.any() else []

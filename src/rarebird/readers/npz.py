"""NumPy archives: MedMNIST's keys (`train_images`, `train_labels`, ...), those of Keras (`x_train`, `y_train`, ...), or
`X, y[, groups][, weights]`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rarebird.core.checks import DataError, nearest, some
from rarebird.data.dataset import Curves, Dataset, Kind, Source, Splits, Task
from rarebird.data.schema import Reading
from rarebird.readers import array_tables, npz_keys, npz_members, picture_arrays, roles, series, targets
from rarebird.readers.npz_keys import PartKeys
from rarebird.readers.options import ReadOptions
from rarebird.readers.site import row_number

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Part:
    """The arrays of one part, n rows each, with the names of their keys."""

    keys: PartKeys
    X: np.ndarray
    y: np.ndarray | None
    group: np.ndarray | None
    weight: np.ndarray | None
    time: np.ndarray | None


def read(path: Path, options: ReadOptions) -> Splits:
    """One archive, split or not.

    With the key `train_images` the rows are pictures, and `val_images` and `test_images` are further parts; labels,
    groups and weights are `train_labels`, `train_groups`, `train_weights` and so on. With the key `X`, or `x_train` and
    perhaps `x_val` and `x_test`, 2 axes are a table with the columns c0, c1, ...; 3 axes pictures ``(n, height,
    width)`` where they are uint8 and otherwise series ``(n, channels, length)``, or ``(n, length, channels)`` with
    `options.channels_last`; 4 axes pictures.
    `options.kind` overrides, and `options.target`, `groups`, `weight` and `time` name other keys. Pictures are resized
    only where a size is asked for. Row ids are row numbers, "1" for the first.

    Args:
        path: An ``.npz`` file.
        options: Kind, task, other keys, picture size; whether there are labels.

    Raises:
        DataError: The file is not such an archive, does not fit into the memory, holds Python objects, lacks a key, its
            arrays differ in their number of rows or hold values that cannot be used, or a part has a class that the
            training rows lack.
    """
    if options.groups_pattern is not None and options.labelled:
        raise DataError(
            f"--groups-pattern reads file names, which the rows of {path} do not have; "
            "put groups under the key `groups`."
        )
    names = npz_members.keys(path)
    parts, unused = _parts(path, names, options)
    kind = options.kind or _kind(parts[0], path)
    notes = [f"These arrays of {path} are not used: {some(unused)}."] if unused else []
    if kind == "series":
        parts, more = _channels_before_steps(parts, options, path)
        notes += more
    sources, readings, more = _sources(parts, kind, options, path)
    notes += more
    loaded: dict[str, Dataset] = {}
    for part, source, reading in zip(parts, sources, readings, strict=True):
        first = next(iter(loaded.values()), None)
        data, more = _dataset(part, kind, source, path, options, task=first.task if first else options.task)
        data = replace(data, reading=reading)
        loaded[part.keys.part] = data if first is None else data.aligned(first.classes)
        notes += more
    train = loaded[parts[0].keys.part]
    rest = {name: data for name, data in loaded.items() if data is not train}
    return Splits(train, rest.get("val"), rest.get("test"), tuple(notes))


def _parts(path: Path, names: Sequence[str], options: ReadOptions) -> tuple[list[Part], list[str]]:
    """The parts of the archive, training rows first, and the keys that are not used."""
    named = npz_keys.found(names, path, options.labelled and options.role == "training rows")
    wanted = {
        "X": (named[0].rows, True),
        "y": (options.target or named[0].labels, options.labelled),
        "group": (options.groups or "groups", options.groups is not None and options.labelled),
        "weight": (options.weight or "weights", options.weight is not None and options.labelled),
        "time": (options.time or "", options.time is not None and options.labelled),
    }
    parts, used = [], set()
    for part in named:
        keys = {}
        for role, (name, required) in wanted.items():
            key = part.key(name)
            if key in names:
                keys[role] = key
            elif required:
                others = [other for other in names if other not in keys.values()]
                raise DataError(f"{path} has no key {key!r}; {nearest(key, others)}")
        used |= set(keys.values())
        if not options.labelled:
            keys.pop("y", None)
        parts.append(_load(path, part, keys))
    return parts, [name for name in names if name not in used]


def _load(path: Path, part: PartKeys, keys: dict[str, str]) -> Part:
    """The arrays under `keys` (role -> key), n rows each."""
    arrays = npz_members.load(path, keys)
    n = len(arrays["X"]) if arrays["X"].ndim else 0
    for role, array in arrays.items():
        if array.ndim == 0 or len(array) == 0:
            raise DataError(f"{keys[role]!r} of {path} holds no rows; give one row per example.")
        if len(array) != n:
            raise DataError(
                f"{keys['X']!r} of {path} has {n} rows, but {keys[role]!r} has {len(array)}; give one per row."
            )
        if role in ("group", "weight", "time") and array.size != len(array):
            raise DataError(f"{keys[role]!r} of {path} has the shape {array.shape}; give one value per row.")
    flat = {role: arrays[role].ravel() if role in arrays else None for role in ("group", "weight", "time")}
    return Part(part, arrays["X"], arrays.get("y"), **flat)


def _kind(part: Part, path: Path) -> Kind:
    """The kind of the rows, by the number of axes."""
    if part.keys.is_of_pictures or part.X.ndim == 4 or (part.X.ndim == 3 and part.X.dtype == np.uint8):
        return "image"
    if part.X.ndim not in (2, 3):
        rows = part.keys.key(part.keys.rows)
        raise DataError(f"{rows!r} of {path} has {part.X.ndim} axes; tables have 2, series 3, pictures 3 or 4.")
    return "table" if part.X.ndim == 2 else "series"


def _channels_before_steps(parts: list[Part], options: ReadOptions, path: Path) -> tuple[list[Part], list[str]]:
    """The parts with series as ``(n, channels, steps)``, and a sentence where the axes may be meant the other way.

    The option decides; for a trained model, so does its number of channels if the last axis alone has it.
    """
    shape = parts[0].X.shape
    if len(shape) != 3:
        return parts, []
    _, first, last = shape
    if options.channels_last or (first != options.channels and last == options.channels):
        note = f"Series of {path} are read as {first} steps of {last} channels, as (n, steps, channels)."
        return [replace(part, X=part.X.transpose(0, 2, 1)) for part in parts], [] if options.channels_last else [note]
    if options.channels is not None:
        return parts, []
    if options.kind is None and (first == last or parts[0].X.dtype.kind == "u"):
        return parts, [
            f"Series of {path} are read as {first} channels of {last} steps, as (n, channels, steps); if they are "
            "pictures, give --kind image."
        ]
    if first <= last:
        return parts, []
    return parts, [
        f"Series of {path} are read as {first} channels of {last} steps, as (n, channels, steps); if they are "
        f"{first} steps of {last} channels, give --channels-last."
    ]


def _sources(
    parts: list[Part], kind: Kind, options: ReadOptions, path: Path
) -> tuple[Sequence[Source], Sequence[Reading | None], list[str]]:
    """The rows of each part, in the form of their kind; how the cells of a table were read; notes."""
    names = [f"{part.keys.key(part.keys.rows)!r} of {path}" for part in parts]
    if kind == "image":
        return picture_arrays.pixels([part.X for part in parts], options, names[0]), [None] * len(parts), []
    if kind == "series":
        return [_curves(part.X, where) for part, where in zip(parts, names, strict=True)], [None] * len(parts), []
    schema, tables, readings, notes = options.schema, list[Source](), list[Reading | None](), list[str]()
    for part, where in zip(parts, names, strict=True):
        table, reading, more = array_tables.read(_frame(part.X, where), where, schema)
        schema = reading.schema
        tables.append(table)
        readings.append(reading)
        notes += more
    return tables, readings, notes


def _frame(array: np.ndarray, where: str) -> pd.DataFrame:
    if array.ndim != 2 or array.shape[1] == 0:
        raise DataError(f"{where} has the shape {array.shape}; a table is (n, columns).")
    return array_tables.frame_of(array, "c")


def _curves(array: np.ndarray, where: str) -> Curves:
    """``(n, channels, length)``, or ``(n, length)`` of one channel, as series."""
    if array.ndim not in (2, 3) or array.dtype.kind not in "biuf" or 0 in array.shape:
        raise DataError(
            f"{where} has the shape {array.shape} of {array.dtype}; "
            "series are numbers (n, channels, length) or (n, length)."
        )
    with np.errstate(over="ignore"):  # numbers beyond float32's range become infinite, which `curves` refuses
        return series.curves(array[:, None] if array.ndim == 2 else array, where)


def _dataset(
    part: Part, kind: Kind, source: Source, path: Path, options: ReadOptions, *, task: Task | None
) -> tuple[Dataset, list[str]]:
    """One part with its labels; rows without one are left out with a note."""
    import pandas as pd

    n = len(part.X)
    rows, notes = np.arange(n), []
    y: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    if part.y is not None:
        missing = targets.missing_mask(part.y)
        if missing.any() and not missing.all():
            rows = np.flatnonzero(~missing)
            unlabelled = f"{missing.sum()} of {n} rows of {path} have no label"
            notes.append(f"{unlabelled} and are left out; the first is row {missing.argmax() + 1}.")
        where = f"{part.keys.key(options.target or part.keys.labels)!r} of {path}"
        least = 2 if options.labelled and options.role == "training rows" and part.keys.part in ("", "train") else 1
        task, y, classes = targets.encode(part.y[rows], task=task, where=where, least_classes=least)
    checks = {
        "group": (part.group, roles.groups),
        "weight": (part.weight, roles.weights),
        "time": (part.time, roles.times),
    }
    known: dict[str, Any] = {}
    for role, (values, check) in checks.items():
        known[role] = (
            None
            if values is None
            else check(pd.Series(values), f"The {part.keys.key(role)} of {path}", row_number)[rows]
        )
    data = Dataset(
        kind=kind,
        task=task or "classification",
        source=source,
        index=rows,
        y=y,
        classes=classes,
        ids=(rows + 1).astype(str).astype(object),
        name=path.stem if part.keys.part in ("", "train") else f"{path.stem}/{part.keys.part}",
        **known,
    )
    return data, notes

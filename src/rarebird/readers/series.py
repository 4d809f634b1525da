"""Time series: UCR archive text (label first, one series per line) and sktime's `.ts` (many channels, unequal lengths)
-> Dataset.

Formats: https://www.timeseriesclassification.com, and the `.ts` specification that comes with sktime and aeon.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rarebird.core.checks import DataError, some
from rarebird.core.memory import require_memory
from rarebird.data.dataset import Curves, Dataset, Splits, Task, UnreadRow
from rarebird.readers import compressed, delimited, records, targets
from rarebird.readers.options import ReadOptions
from rarebird.readers.spellings import MISSING

Series = list[np.ndarray]
"""The values of each channel."""

_NAN = float("nan")
# Bytes that a step of a series takes while it is read: padded, checked and copied.
MEMORY = 12


@dataclass(frozen=True)
class _Header:
    """The header of a `.ts` file: the lines before `@data`.

    Attributes:
        labelled: Whether each line ends in a class label or a number.
        task: The task of the labels.
        classes: The declared labels; empty if none are declared.
        channels: The declared number of channels; None if it is not declared.
        first_line: Number of the first line of data, counted from 1.
    """

    labelled: bool
    task: Task
    classes: tuple[str, ...]
    channels: int | None
    first_line: int


def read(path: Path, options: ReadOptions) -> Splits:
    """The series of one file; the task is classification unless the file or the options ask for regression.

    In UCR text the first cell of a line is the label (it is ignored if labels are not wanted), and cells are separated
    by tabs, commas, semicolons or blanks; NaN at the end means a shorter series, NaN within it a missing value. Row ids
    are "1", "2", ...

    Args:
        path: A ``.ts`` file, or text in UCR's layout.
        options: Task, and whether labels are wanted; a series file has no named columns.

    Raises:
        DataError: No such file, timestamps, no labels, infinite values, different numbers of channels, or a series
            without any value.
    """
    asked = [name for name in ("groups", "groups_pattern", "weight", "time") if getattr(options, name) is not None]
    if asked:
        flag = asked[0].replace("_", "-")
        raise DataError(
            f"--{flag} does not work with the series file {path}, which has no such column; "
            "save the series as an .npz with X, y and groups."
        )
    text = delimited.decode(path)[0]
    lines = text.splitlines()
    labels, rows, task = _ts(path, lines, options) if compressed.suffix(path) == ".ts" else _ucr(path, lines, options)
    if not rows:
        raise DataError(f"{path} holds no series; give a file with one series per line.")
    unread = () if options.labelled else _unusable(rows)
    kept, notes = np.setdiff1d(np.arange(len(rows)), [row.place for row in unread]), []
    y: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    if options.labelled:
        missing = targets.missing_mask(labels)
        if missing.any() and not missing.all():
            kept = np.flatnonzero(~missing)
            first = int(missing.argmax()) + 1
            notes.append(
                f"{missing.sum()} of {len(rows)} {options.role} have no label (first row {first}) and were left out."
            )
        least = 2 if options.role == "training rows" else 1
        task, y, classes = targets.encode(
            [labels[row] for row in kept], task=task, where=f"The label in {path}", least_classes=least
        )
    source = curves(padded([rows[row] for row in kept], str(path)), str(path), kept)
    ids = (kept + 1).astype(str).astype(object)
    dataset = Dataset("series", task, source, np.arange(len(kept)), y, classes, ids, name=compressed.stem(path))
    return Splits(dataset, notes=tuple(notes), unread=unread)


def _unusable(rows: Sequence[Series]) -> tuple[UnreadRow, ...]:
    """Series to predict that have no value, or an infinite one; none if that is so of all."""
    reasons = {}
    for place, channels in enumerate(rows):
        values = np.concatenate(channels)
        if np.isnan(values).all():
            reasons[place] = "it has no value"
        elif np.isinf(values.astype(np.float32)).any():
            reasons[place] = "it has an infinite value"
    if len(reasons) == len(rows):
        return ()
    return tuple(UnreadRow("train", place, str(place + 1), why) for place, why in reasons.items())


def curves(values: np.ndarray, where: str, rows: np.ndarray | None = None) -> Curves:
    """Series padded with NaN, cut to the longest; a series ends at its last value in any channel.

    Args:
        values: ``(n, channels, length)`` numbers, NaN where missing or beyond the series.
        where: Their name in messages.
        rows: ``(n,)`` positions of the series in the file (from 0), for messages, if some were left out.

    Raises:
        DataError: An infinite value, or a series without any value.
    """
    values = np.ascontiguousarray(values, dtype=np.float32)
    infinite = np.isinf(values).any(axis=(1, 2))
    observed = ~np.isnan(values).all(axis=1)
    numbers = np.arange(len(values)) if rows is None else rows
    if infinite.any():
        number = int(numbers[infinite.argmax()]) + 1
        raise DataError(f"Series {number} of {where} holds an infinite value; remove that series or correct it.")
    if not observed.any(axis=1).all():
        number = int(numbers[observed.any(axis=1).argmin()]) + 1
        raise DataError(f"Series {number} of {where} holds no value at all; remove it.")
    length = observed.shape[1]
    lengths = (length - observed[:, ::-1].argmax(axis=1)).astype(np.int64)
    return Curves(np.ascontiguousarray(values[:, :, : lengths.max()]), lengths)


def padded(rows: Sequence[Series], where: str = "the file") -> np.ndarray:
    """Series, each a sequence of channels of any lengths -> ``(n, channels, length)`` float32, NaN after the end of
    each channel.

    Raises:
        DataError: A few long series make all of them so long that they do not fit into the memory.
    """
    length = max(len(channel) for row in rows for channel in row)
    require_memory(
        MEMORY * len(rows) * len(rows[0]) * length,
        f"The {len(rows)} series of {where}, each padded to the {length} steps of the longest,",
        "cut the longest series, or resample all of them",
    )
    values = np.full((len(rows), len(rows[0]), length), np.nan, dtype=np.float32)
    for series, row in zip(values, rows, strict=True):
        for target, channel in zip(series, row, strict=True):
            # Numbers beyond float32's range become infinite, which `curves` refuses.
            with np.errstate(over="ignore"):
                target[: len(channel)] = channel
    return values


def _ucr(path: Path, lines: list[str], options: ReadOptions) -> tuple[list[str], list[Series], Task]:
    """Labels and series of UCR text; labels that are whole numbers lose decimal points and exponents."""
    labels: list[str] = []
    rows: list[Series] = []
    separator: str | None = None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        if not rows:
            separator = delimited.separator(line)
            if number == 1 and _names_columns(line.strip(" ").split(separator)):
                continue
        label, *cells = line.strip(" ").split(separator)
        if not cells:
            raise DataError(
                f"Line {number} of {path} holds a label but no series; give a label and at least one value per line."
            )
        labels.append(_tidy(label))
        rows.append([_floats(cells, path, number)])
    return labels, rows, options.task or _guessed(labels)


def _guessed(labels: Sequence[str]) -> Task:
    """Regression for labels that are amounts with decimals; whole numbers are classes, as in the archive."""
    if not all(records.is_number(label) for label in labels):
        return "classification"
    amounts = np.array([float(label) for label in labels])
    amounts = amounts[np.isfinite(amounts)]
    has_decimals = bool((amounts != np.floor(amounts)).any())
    return "regression" if has_decimals and targets.is_continuous(amounts) else "classification"


def _names_columns(cells: list[str]) -> bool:
    """Whether a first line holds names in place of values."""
    values = [cell.strip() for cell in cells[1:]]
    return bool(values) and not any(records.is_number(cell) or cell.lower() in MISSING for cell in values)


def _ts(path: Path, lines: list[str], options: ReadOptions) -> tuple[list[str], list[Series], Task]:
    """Labels (empty texts if the file has none) and series of a `.ts` file."""
    header = _header(path, lines)
    if options.labelled and not header.labelled:
        raise DataError(f"{path} declares that its series have no labels (@classLabel false); give a file with labels.")
    labels: list[str] = []
    rows: list[Series] = []
    for number, line in _data(lines, header.first_line):
        if "(" in line:
            raise DataError(
                f"Line {number} of {path} holds timestamps, which are not supported; resample the series to equal "
                "steps."
            )
        channels = line.split(":")
        label = channels.pop().strip() if header.labelled else ""
        if header.classes and _tidy(label) not in header.classes and label not in ("?", ""):
            raise DataError(
                f"Line {number} of {path} ends in {label[:30]!r}, which is not a declared label "
                f"({some(header.classes)}); correct it."
            )
        expected = header.channels or (len(rows[0]) if rows else len(channels))
        if len(channels) != expected or not channels:
            raise DataError(
                f"Line {number} of {path} has {len(channels)} channels, but {expected} are expected; correct that line."
            )
        labels.append("" if label == "?" else _tidy(label))
        rows.append([_floats(channel.split(","), path, number) for channel in channels])
    return labels, rows, options.task or header.task


def _header(path: Path, lines: list[str]) -> _Header:
    """The lines up to `@data`; keys are compared in lower case, because archives differ in their spelling."""
    entries: dict[str, list[str]] = {}
    for number, line in enumerate(lines, start=1):
        key, *words = line.strip().split() or ["#"]
        if key.lower() == "@data":
            break
        if key.startswith("@"):
            entries[key[1:].lower()] = words
        elif not key.startswith("#"):
            raise DataError(
                f"Line {number} of {path} is before @data but is not a header line; "
                "a .ts file has lines of @KEY VALUE, then @data."
            )
    else:
        raise DataError(
            f"{path} has no line @data, so it is not a .ts file of time series; give one with a header and data."
        )
    truths = {key: words[0].lower() == "true" for key, words in entries.items() if words}
    if truths.get("timestamps", False):
        raise DataError(f"{path} holds timestamps, which are not supported; resample the series to equal steps.")
    numeric = truths.get("targetlabel", False)
    univariate = ["1"] if truths.get("univariate", False) else []
    channels = entries.get("dimensions") or entries.get("dimension") or univariate
    return _Header(
        labelled=numeric or truths.get("classlabel", False),
        task="regression" if numeric else "classification",
        classes=() if numeric else tuple(map(_tidy, entries.get("classlabel", [])[1:])),
        channels=int(channels[0]) if channels and channels[0].isdigit() else None,
        first_line=number + 1,
    )


def _data(lines: list[str], first_line: int) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines[first_line - 1 :], start=first_line):
        if line.strip() and not line.startswith("#"):
            yield number, line.strip()


def _floats(cells: list[str], path: Path, number: int) -> np.ndarray:
    """The numbers of one channel; NaN for a cell that means a missing value."""
    try:
        return np.array(list(map(float, cells)))
    except ValueError:
        pass
    values = []
    for place, cell in enumerate(cells, start=1):
        missing = cell.strip().lower() in MISSING
        if not missing and not records.is_number(cell):
            raise DataError(
                f"Line {number} of {path} holds {cell.strip()[:30]!r} as value {place} of a series, "
                "which is not a number; correct it."
            )
        values.append(_NAN if missing else float(cell))
    return np.array(values)


def _tidy(label: str) -> str:
    """A label's text; a whole number without its decimal point, "1.0000000e+00" -> "1", "-1.0" -> "-1"."""
    text = label.strip().strip('"')
    return targets.label(float(text)) if records.is_number(text) and float(text).is_integer() else text

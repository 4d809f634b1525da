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
from rarebird.data.dataset import Curves, Dataset, Splits, Task
from rarebird.readers import delimited, targets
from rarebird.readers.columns import MISSING
from rarebird.readers.options import ReadOptions

Series = list[np.ndarray]
"""The values of each channel."""

_NAN = float("nan")


@dataclass(frozen=True)
class _Header:
    """What the lines before `@data` say.

    Attributes:
        labelled: Whether each line ends in a class label or a number.
        task: What the labels are for.
        classes: The declared labels, empty where none are declared.
        channels: The declared number of channels, None where it is left open.
        first_line: Line on which the data begin, counted from 1.
    """

    labelled: bool
    task: Task
    classes: tuple[str, ...]
    channels: int | None
    first_line: int


def read(path: Path, options: ReadOptions) -> Splits:
    """The series of one file. Those of a class are classified unless the file or the options say regression.

    In UCR text the first cell of a line is the label (without labels wanted it is ignored), cells are separated by
    tabs, commas, semicolons or blanks; NaN at the end means a shorter series, NaN within it a missing value. Row ids
    are "1", "2", ...

    Args:
        path: A ``.ts`` file, or text in UCR's layout.
        options: Task and whether labels are wanted; a series file has no columns to name.

    Raises:
        DataError: No such file, timestamps, no labels, infinite values, an unequal number of channels, or a series
            without any value.
    """
    asked = [name for name in ("groups", "groups_pattern", "weight", "time") if getattr(options, name) is not None]
    if asked:
        flag = asked[0].replace("_", "-")
        raise DataError(
            f"--{flag} names something that the series file {path} does not have; save the series as an .npz with X, y and groups."
        )
    text, _ = delimited.decode(path)
    lines = text.splitlines()
    labels, rows, task = _ts(path, lines, options) if path.suffix.lower() == ".ts" else _ucr(path, lines, options)
    if not rows:
        raise DataError(f"{path} holds no series; give a file with one series per line.")
    kept, notes = np.arange(len(rows)), []
    y: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    if options.labelled:
        missing = targets.missing_mask(labels)
        if missing.any() and not missing.all():
            kept = np.flatnonzero(~missing)
            notes.append(
                f"{missing.sum()} of {len(rows)} {options.role} have no label (first row {int(missing.argmax()) + 1}) and were left out."
            )
        least = 2 if options.role == "training rows" else 1
        task, y, classes = targets.encode(
            [labels[row] for row in kept], task=task, where=f"The label in {path}", least_classes=least
        )
    source = curves(padded([rows[row] for row in kept]), str(path), kept)
    ids = (kept + 1).astype(str).astype(object)
    dataset = Dataset("series", task, source, np.arange(len(kept)), y, classes, ids, name=path.stem)
    return Splits(dataset, notes=tuple(notes))


def curves(values: np.ndarray, where: str, rows: np.ndarray | None = None) -> Curves:
    """Series padded with NaN, cut to the longest; a series ends at its last value in any channel.

    Args:
        values: ``(n, channels, length)`` numbers, NaN where missing or beyond the series.
        where: What messages call them.
        rows: ``(n,)`` the numbers (from 0) that messages give the series, where some were left out.

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


def padded(rows: Sequence[Series]) -> np.ndarray:
    """Series, each a sequence of channels of any lengths -> ``(n, channels, length)`` float32, NaN behind the end of
    each channel."""
    length = max(len(channel) for row in rows for channel in row)
    values = np.full((len(rows), len(rows[0]), length), np.nan, dtype=np.float32)
    for series, row in zip(values, rows, strict=True):
        for place, channel in zip(series, row, strict=True):
            # Beyond float32's range is infinite, which `curves` refuses in words.
            with np.errstate(over="ignore"):
                place[: len(channel)] = channel
    return values


def _ucr(path: Path, lines: list[str], options: ReadOptions) -> tuple[list[str], list[Series], Task]:
    """Labels and series of UCR text; a column of labels that are numbers is freed of decimal points and exponents."""
    labels: list[str] = []
    rows: list[Series] = []
    separator: str | None = None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        if not rows:
            separator = delimited.separator(line)
        label, *cells = line.strip(" ").split(separator)
        if not cells:
            raise DataError(
                f"Line {number} of {path} holds a label but no series; give a label and at least one value per line."
            )
        labels.append(_tidy(label))
        rows.append([_floats(cells, path, number)])
    return labels, rows, options.task or "classification"


def _ts(path: Path, lines: list[str], options: ReadOptions) -> tuple[list[str], list[Series], Task]:
    """Labels (empty texts where the file has none) and series of a `.ts` file."""
    header = _header(path, lines)
    if options.labelled and not header.labelled:
        raise DataError(f"{path} says that its series have no labels (@classLabel false); give a file with labels.")
    labels: list[str] = []
    rows: list[Series] = []
    for number, line in _data(lines, header.first_line):
        if "(" in line:
            raise DataError(
                f"Line {number} of {path} holds timestamps, which are not served; resample the series to equal steps."
            )
        channels = line.split(":")
        label = channels.pop().strip() if header.labelled else ""
        if header.classes and label not in header.classes and label not in ("?", ""):
            raise DataError(
                f"Line {number} of {path} ends in {label[:30]!r}, which is none of the labels declared: {some(header.classes)}; correct it."
            )
        expected = header.channels or (len(rows[0]) if rows else len(channels))
        if len(channels) != expected or not channels:
            raise DataError(
                f"Line {number} of {path} has {len(channels)} channels where {expected} are expected; correct that line."
            )
        labels.append("" if label == "?" else _tidy(label))
        rows.append([_floats(channel.split(","), path, number) for channel in channels])
    return labels, rows, options.task or header.task


def _header(path: Path, lines: list[str]) -> _Header:
    """The lines up to `@data`; their keys are told apart in lower case, as the archives spell them in both ways."""
    said: dict[str, list[str]] = {}
    for number, line in enumerate(lines, start=1):
        key, *words = line.strip().split() or ["#"]
        if key.lower() == "@data":
            break
        if key.startswith("@"):
            said[key[1:].lower()] = words
        elif not key.startswith("#"):
            raise DataError(
                f"Line {number} of {path} comes before @data but is no header line; a .ts file has lines of @KEY VALUE, then @data."
            )
    else:
        raise DataError(
            f"{path} has no line @data, so it is no .ts file of time series; give one with a header and data."
        )
    truths = {key: words[0].lower() == "true" for key, words in said.items() if words}
    if truths.get("timestamps", False):
        raise DataError(f"{path} holds timestamps, which are not served; resample the series to equal steps.")
    amounts = truths.get("targetlabel", False)
    channels = said.get("dimensions") or said.get("dimension") or (["1"] if truths.get("univariate", False) else [])
    return _Header(
        labelled=amounts or truths.get("classlabel", False),
        task="regression" if amounts else "classification",
        classes=() if amounts else tuple(said.get("classlabel", [])[1:]),
        channels=int(channels[0]) if channels and channels[0].isdigit() else None,
        first_line=number + 1,
    )


def _data(lines: list[str], first_line: int) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines[first_line - 1 :], start=first_line):
        if line.strip() and not line.startswith("#"):
            yield number, line.strip()


def _floats(cells: list[str], path: Path, number: int) -> np.ndarray:
    """The numbers of one channel, NaN where a cell spells a missing value."""
    try:
        return np.array(list(map(float, cells)))
    except ValueError:
        pass
    values = []
    for place, cell in enumerate(cells, start=1):
        missing = cell.strip().lower() in MISSING
        if not missing and not delimited.is_number(cell):
            raise DataError(
                f"Line {number} of {path} holds {cell.strip()[:30]!r} as value {place} of a series, which is no number; correct it."
            )
        values.append(_NAN if missing else float(cell))
    return np.array(values)


def _tidy(label: str) -> str:
    """A label's text; a whole number without its decimal point, "1.0000000e+00" -> "1"."""
    text = label.strip().strip('"')
    return targets.label(float(text)) if delimited.is_number(text) and float(text).is_integer() else text

"""Writes rows in the form of the data that they are like: a table, series, an archive of arrays, or folders of
pictures, so that the file can be read as the data were."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rarebird.core.atomic_files import whole_file, whole_folder
from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset, Kind
from rarebird.readers import times_of_day
from rarebird.readers.options import ReadOptions

# Suffixes that rows of a kind are written with; a folder has none.
SUFFIXES = {"table": (".csv", ".parquet"), "series": (".tsv", ".ts", ".npz"), "image": ("", ".npz")}
DIGITS = 6


def check_suffix(path: Path, kind: str) -> None:
    """Raises:
    DataError: Rows of this kind are not written to files of this type.
    """
    if path.suffix.lower() not in SUFFIXES[kind]:
        valid = " or ".join(suffix or "a folder" for suffix in SUFFIXES[kind])
        raise DataError(f"Rows of kind {kind!r} are written to {valid}, but --out is {path.name!r}.")


def usual_suffix(data: Path, kind: str) -> str:
    """The suffix of the data, or the usual one of the kind."""
    suffix = data.suffix.lower()
    return suffix if suffix in SUFFIXES[kind] and (suffix or data.is_dir()) else SUFFIXES[kind][0]


def is_folder(path: Path, kind: Kind) -> bool:
    """Whether rows are written as a folder of pictures: its name may have a dot, as that of rejected rows has."""
    return kind == "image" and path.suffix.lower() != ".npz"


def write_rows(rows: Dataset, path: Path, options: ReadOptions) -> None:
    """Write labelled rows; a reader of `path` sees the old file or the new one, never a part.

    Args:
        rows: Rows of classes.
        path: Its suffix decides the form; pictures that are no .npz are a folder, whatever its name.
        options: As the data were read: a table gets the columns that they name.

    Raises:
        DataError: The form cannot hold the rows, such as a name of a class that no folder can have.
    """
    suffix = path.suffix.lower()
    if is_folder(path, rows.kind):
        _write_pictures(rows, path)
        return
    with whole_file(path) as building:
        if rows.kind == "table":
            _write_table(rows, building, options, suffix)
        elif suffix == ".npz":
            _write_arrays(rows, building, options)
        elif suffix == ".ts":
            building.write_text(_as_ts(rows), encoding="utf-8", newline="\n")
        else:
            building.write_text(_as_ucr(rows), encoding="utf-8", newline="\n")


def _labels(rows: Dataset) -> np.ndarray:
    labels: np.ndarray = np.array(rows.classes, dtype=object)[rows.codes]
    return labels


def _write_table(rows: Dataset, path: Path, options: ReadOptions, suffix: str) -> None:
    frame = rows.raw()
    forms = {} if rows.reading is None else rows.reading.schema.columns
    for name in (name for name, form in forms.items() if form.kind == "time" and name in frame):
        frame[name] = times_of_day.texts(frame[name].to_numpy(np.float64))
    frame[rows.target] = _labels(rows)
    if options.groups is not None and rows.group is not None:
        frame[options.groups] = rows.group
    if options.weight is not None:
        frame[options.weight] = rows.weights
    if suffix == ".parquet":
        frame.to_parquet(path, index=False)
    else:
        frame.to_csv(path, index=False, encoding="utf-8", lineterminator="\n")


def _write_arrays(rows: Dataset, path: Path, options: ReadOptions) -> None:
    """The keys `X` and `y`; series that end early are NaN to their end."""
    raw = rows.raw()
    X = raw[0] if isinstance(raw, tuple) else raw
    if rows.kind == "series" and options.channels_last:
        X = X.transpose(0, 2, 1)
    arrays = {"X": X, options.target or "y": _labels(rows).astype(str)}
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)


def _write_pictures(rows: Dataset, folder: Path) -> None:
    """One folder per class, with a PNG per row."""
    from PIL import Image

    for label in sorted(set(_labels(rows))):
        if label in ("", ".", "..") or any(letter in label for letter in "/\\\0"):
            raise DataError(
                f"No folder can be called {label!r}, as this class is; give --out a name that ends in .npz."
            )
    with whole_folder(folder) as building:
        for place, (pixels, label) in enumerate(zip(rows.raw(), _labels(rows), strict=True)):
            array = pixels if pixels.dtype == np.uint8 else np.round(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
            if len(array) not in (1, 3, 4):
                raise DataError(
                    f"Pictures of {len(array)} channels cannot be PNG; give --out a name that ends in .npz."
                )
            shown = array[0] if len(array) == 1 else array.transpose(1, 2, 0)
            (building / label).mkdir(exist_ok=True)
            Image.fromarray(shown).save(building / label / f"synthetic-{place + 1:05d}.png", "PNG")


def _as_ucr(rows: Dataset) -> str:
    """A line per series of one channel: the label and the values, with tabs; NaN where a value is missing."""
    values, lengths = rows.raw()
    if values.shape[1] != 1:
        raise DataError(f"Series of {values.shape[1]} channels cannot be .tsv; give --out a name that ends in .ts.")
    lines = [
        "\t".join([label, *_texts(row[0, :length])])
        for row, length, label in zip(values, lengths, _labels(rows), strict=True)
    ]
    return "\n".join(lines) + "\n"


def _as_ts(rows: Dataset) -> str:
    """A header, and a line per series: channels with commas, a colon between them, and the label."""
    values, lengths = rows.raw()
    head = [
        "@problemName synthetic",
        "@timeStamps false",
        f"@univariate {str(values.shape[1] == 1).lower()}",
        f"@dimensions {values.shape[1]}",
        "@classLabel true " + " ".join(rows.classes),
        "@data",
    ]
    lines = [
        ":".join([*(",".join(_texts(channel[:length])) for channel in row), label])
        for row, length, label in zip(values, lengths, _labels(rows), strict=True)
    ]
    return "\n".join([*head, *lines]) + "\n"


def _texts(values: np.ndarray) -> list[str]:
    return ["NaN" if np.isnan(value) else f"{value:.{DIGITS}g}" for value in values]

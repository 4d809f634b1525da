"""Pictures listed by a CSV: which column names them, and where the files are."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import islice
from pathlib import Path, PurePosixPath

import numpy as np

from rarebird.core.checks import DataError, some
from rarebird.data.dataset import Splits
from rarebird.readers import delimited, folder_layout, records, table
from rarebird.readers.folder_layout import text_of
from rarebird.readers.options import ReadOptions
from rarebird.readers.picture_listing import Listing
from rarebird.readers.picture_rows import load
from rarebird.readers.pictures import is_picture

# Names of columns that hold a picture's file or name; the first is the one that messages suggest. `id` names pictures
# only where no other column could be a feature.
_NAMES: tuple[str, ...] = (
    *("path", "file", "filename", "filepath", "image", "imagepath", "imagefile", "imagefilename", "imagename"),
    *("imageid", "imageindex", "img", "imgpath", "imgname", "imgid", "picture", "picturepath", "pictureid", "id"),
)
LABELS = ("label", "target", "class")
_ROLES = ("group", "weight")
# Rows that decide what a column holds, and how deep below the CSV's folder pictures are looked for.
_SAMPLED, _DEEPEST = 20, 3
BEGINNING = 1 << 22
"""Bytes at a file's beginning, which hold a few rows of any table."""


@dataclass(frozen=True)
class Pictures:
    """The picture files below a folder, found by the names that a list gives them.

    Attributes:
        folder: Names are relative to it.
    """

    folder: Path

    def file(self, name: str) -> Path:
        """The file that a name stands for: its path, with or without a suffix, or the file's name alone. A name that
        stands for none gives a path at which there is nothing.

        Raises:
            DataError: Several files have that name.
        """
        direct = self.folder / (name or "no name")
        if is_picture(direct) and direct.is_file():
            return direct
        found = self._by_name.get(name, [])
        if len(found) > 1:
            raise DataError(
                f"{name!r} names several pictures under {self.folder}: {some(found, most=2)}; give their paths."
            )
        return found[0] if found else direct

    def digits(self) -> list[int]:
        """How many digits the names that are numbers have."""
        return sorted({len(name) for name in self._by_name if name.isdecimal()})

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        """File name, alone or after the folders that lead to it, with and without suffix -> files."""
        found: dict[str, list[Path]] = {}
        base = len(self.folder.parts)
        for at, inside, names in os.walk(self.folder):
            deep = len(Path(at).parts) - base >= _DEEPEST
            inside[:] = [] if deep else sorted(name for name in inside if folder_layout.is_visible(name))
            for name in sorted(filter(folder_layout.is_visible, names)):
                if is_picture(file := Path(at, name)):
                    parts = file.relative_to(self.folder).parts
                    for first in range(len(parts)):
                        below = Path(*parts[first:])
                        for key in (below.as_posix(), below.with_suffix("").as_posix()):
                            found.setdefault(key, []).append(file)
        return found


def lists_pictures(path: Path, beginning: str, options: ReadOptions) -> bool:
    """Whether a CSV with this beginning lists pictures: most of the first rows name one in some column, and there is a
    column of labels if labels are wanted. If no other column could be a feature, suffixes suffice: the reader names
    missing files."""
    header, rows = _first_rows(beginning)
    known = {*LABELS, *_ROLES, _label_in(header), options.target, options.groups, options.weight, options.time}
    if options.labelled and (options.target or _label_in(header)) not in header:
        return False
    column = _column(header, rows, _folder(path, options), known)
    if column is None:
        return False
    names = _cells(header, rows, column)
    return known.issuperset(set(header) - {column}) or _named_share(names, _folder(path, options)) > 0.5


def read(path: Path, options: ReadOptions) -> Splits:
    """Pictures listed by a CSV: a column of their files, a label, and perhaps ``group, weight``.

    The column of files is called path, filename, image_id or the like, or is the one whose cells name pictures. A name
    may be a path relative to the CSV's folder (or to `options.pictures`), an absolute path, or the name of a file
    further down, each with or without its suffix. `options.target`, `groups`, `weight` and `time` name other columns.
    The file is read as a table is (encodings, delimiters, types of the label). Ids are the names as the CSV has them.

    Raises:
        DataError: No column names pictures, a row has no name, a name stands for several files, or for the reasons of
            `image_folder.read` and `table.read`.
    """
    folder = _folder(path, options)
    column = column_of(path, options)
    header, _ = _beginning(path)
    as_table = replace(
        options,
        target=options.target or _label_in(header) or "label",
        groups=options.groups or ("group" if "group" in header else None),
        weight=options.weight or ("weight" if "weight" in header else None),
        groups_pattern=None,
        names=column,
    )
    split = table.read(path, as_table)
    rows = split.train
    frame = rows.raw()
    missing = np.flatnonzero(frame[column].isna())
    if len(missing) and options.labelled:
        raise DataError(
            f"{path} names no file in row {rows.ids[missing[0]]} (column {column!r}); fill it in or remove the row."
        )
    ids = names_of(frame[column].fillna(""))
    pictures = Pictures(folder)
    files = [pictures.file(name) for name in ids]
    renamed: list[str] = []
    if not any(file.exists() for file in files) and (others := _under_other_names(ids, pictures)):
        files, shown = others, text_of(others[0].relative_to(folder).as_posix())
        renamed = [f"The pictures that {path} lists are found under other names, such as {shown!r} for {ids[0]!r}."]
    if not any(file.exists() for file in files):
        raise DataError(
            f"None of the {len(files)} pictures that {path} lists in column {column!r} is under {folder} "
            f"(such as {ids[0]!r}); name their folder with --pictures."
        )
    known = {
        part: getattr(rows, part) for part in ("name", "target", "task", "y", "classes", "weight", "group", "time")
    }
    loaded = load({"train": Listing(where=str(path), files=files, ids=ids, **known)}, options)
    others = [name for name in frame if name != column]
    unused = [f"These columns of {path} are not used: {some(others)}."] if others else []
    return replace(loaded, notes=(*split.notes, *renamed, *loaded.notes, *unused))


def _under_other_names(ids: Sequence[str], pictures: Pictures) -> list[Path]:
    """The files of a list of which no name fits: without the same number of folders at the beginning of each (of
    another machine), without suffixes, or with zeros before numbers; empty where none of this finds them all."""
    deepest = min(name.count("/") for name in ids)
    digits = pictures.digits()
    ways: list[Callable[[str], str]] = [
        *(partial(_without_folders, places=places) for places in range(1, deepest + 1)),
        lambda name: PurePosixPath(name).with_suffix("").as_posix(),
        *(lambda name, width=width: name.removesuffix(".0").zfill(width) for width in digits),
    ]
    for way in ways:
        with suppress(DataError):  # several files have such a name
            files = [pictures.file(way(name)) for name in ids]
            if len(set(files)) == len(set(ids)) and all(file.exists() for file in files):
                return files
    return []


def _without_folders(name: str, places: int) -> str:
    return "/".join(name.split("/")[places:])


def column_of(path: Path, options: ReadOptions) -> str:
    """The column of a CSV that names pictures.

    Raises:
        DataError: There is none.
    """
    header, rows = _beginning(path)
    known = {*LABELS, *_ROLES, _label_in(header), options.target, options.groups, options.weight, options.time}
    column = _column(header, rows, _folder(path, options), known)
    if column is None:
        raise DataError(
            f"{path} has no column 'path' or the like that names pictures, but {some(map(repr, header))}; "
            "name each picture's file there, relative to the CSV's folder."
        )
    return column


def names_of(cells: Iterable[object]) -> list[str]:
    """The names of pictures as ids: with slashes, also where the list was written under Windows."""
    return [str(name).replace("\\", "/") for name in cells]


def target_in(path: Path, target: str) -> str | None:
    """The target's name in the training data, if the list has such a column."""
    return target if target in _beginning(path)[0] else None


def _folder(path: Path, options: ReadOptions) -> Path:
    return path.parent if options.pictures is None else options.pictures


def _beginning(path: Path) -> tuple[list[str], list[list[str]]]:
    """The column names and the first rows of a CSV."""
    return _first_rows(delimited.beginning(path, BEGINNING))


def _first_rows(text: str) -> tuple[list[str], list[list[str]]]:
    rows = [fields for _, fields in islice(records.records(text, records.sniff(text)), _SAMPLED + 1)]
    return ([name.strip() for name in rows[0]] if rows else []), rows[1:]


def _label_in(header: Sequence[str]) -> str | None:
    """The column of labels, in any case."""
    found = {name.lower(): name for name in reversed(header)}
    return next((found[name] for name in LABELS if name in found), None)


def _column(header: Sequence[str], rows: Sequence[Sequence[str]], folder: Path, known: set[str | None]) -> str | None:
    """The column that names pictures: by its own name, or else by its cells."""
    plain = {re.sub(r"[\W_]+", "", name.lower()): name for name in reversed(header) if name not in known}
    for name in _NAMES:
        column = plain.get(name)
        # An id beside features is a row's, not a picture's.
        if column is not None and (name != "id" or known.issuperset(set(header) - {column})):
            return column
    # A wide table has thousands of columns: the place of each is looked up once.
    shares: dict[str, float] = {}
    for place, name in enumerate(header):
        if name not in known and name not in shares:
            shares[name] = _suffixed_share(_cells_at(rows, place))
    best = max(shares, key=lambda name: shares[name], default=None)
    return best if best is not None and shares[best] > 0.5 else None


def _cells(header: Sequence[str], rows: Sequence[Sequence[str]], column: str) -> list[str]:
    return _cells_at(rows, header.index(column))


def _cells_at(rows: Sequence[Sequence[str]], place: int) -> list[str]:
    return [row[place].strip() for row in rows if len(row) > place]


def _suffixed_share(cells: Sequence[str]) -> float:
    # All suffixes end with a letter; wide tables of numbers are passed over without a path for each cell.
    return sum(name[-1:].isalpha() and is_picture(Path(name)) for name in cells) / max(len(cells), 1)


def _named_share(cells: Sequence[str], folder: Path) -> float:
    """The share of the cells that name pictures that exist."""
    pictures = Pictures(folder)
    return sum(pictures.file(name.replace("\\", "/")).is_file() for name in cells if name) / max(len(cells), 1)

"""Pictures in folders, one folder per class, split or not; or listed by a CSV of `path,label[,group,weight]`."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from rarebird.core.checks import DataError, some
from rarebird.data.dataset import Splits, natural_order
from rarebird.readers import delimited, table
from rarebird.readers.options import ReadOptions
from rarebird.readers.picture_rows import Listing, load
from rarebird.readers.pictures import SUFFIXES, is_picture

_SPLIT_NAMES = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing")}
_CLUTTER = ("__macosx", "thumbs.db", "desktop.ini")


def read(path: Path, options: ReadOptions) -> Splits:
    """Pictures of a folder; without labels also a single picture.

    There is one folder per class: all pictures under it, also in nested folders, belong to that class. A root that
    contains `train` (or `training`) and any of `val`, `valid`, `validation`, `test`, `testing` is a split; so is a root
    whose only folder is such a folder. Hidden files and files of the operating system are ignored. With
    ``options.labelled`` False every picture under the folder is a row, and folder names do not matter. Ids are the
    paths relative to `path`.

    Args:
        path: A folder, or one picture if labels are not wanted.
        options: `groups_pattern`, `image_size`, `image_shape`, `cache`, `labelled`, `role`.

    Raises:
        DataError: There is no picture, one class only, no readable picture, or a class in `val` or `test` that `train`
            lacks.
    """
    for option, column in (("--groups", options.groups), ("--weight", options.weight), ("--time", options.time)):
        if column is not None and options.labelled:
            raise DataError(
                f"{path} has no column {column!r} for {option}; list the pictures in a CSV that has it, "
                "or use --groups-pattern."
            )
    if options.labelled and options.task == "regression":
        raise DataError(f"The folders of {path} name classes; for regression give a CSV of path,label.")
    if path.is_file():
        return _single(path, options)
    name = path.resolve().name
    if not options.labelled:
        files, _ = _files(path)
        if not files:
            raise DataError(_no_picture(path))
        listing = Listing(
            str(path), name, "class", files, [_relative(file, path) for file in files], options.task or "classification"
        )
        loaded, notes = load({"train": listing}, options)
        return Splits(loaded["train"], notes=tuple(notes))
    folders, notes = _split(path)
    parts = {}
    for part, folder in folders.items():
        listed, more = _by_class(folder, path, name if part == "train" else f"{name}/{part}")
        notes += more
        if listed is not None:
            parts[part] = listed
        elif part == "train":
            raise DataError(_without_classes(folder))
    loaded, more = load(parts, options)
    return Splits(loaded["train"], loaded.get("val"), loaded.get("test"), tuple(notes + more))


def read_list(path: Path, options: ReadOptions) -> Splits:
    """Pictures listed by a CSV with the columns ``path, label`` and perhaps ``group, weight``.

    Paths are relative to the CSV's folder, or absolute. `options.target`, `groups`, `weight` and `time` name other
    columns. The file is read as a table is (encodings, delimiters, types of the label). Ids are the paths as the CSV
    has them.

    Raises:
        DataError: A column is absent, a row has no path, or for the reasons of `read` and `table.read`.
    """
    text, _ = delimited.decode(path)
    _, names = next(delimited.records(text, delimited.sniff(text)), (0, []))
    as_table = replace(
        options,
        target=options.target or "label",
        groups=options.groups or ("group" if "group" in names else None),
        weight=options.weight or ("weight" if "weight" in names else None),
        groups_pattern=None,
    )
    split = table.read(path, as_table)
    rows = split.train
    frame = rows.raw()
    if "path" not in frame:
        raise DataError(f"{path} has no column 'path'; name each picture's file there, relative to the CSV's folder.")
    missing = np.flatnonzero(frame["path"].isna())
    if len(missing):
        raise DataError(f"{path} names no file in row {rows.ids[missing[0]]}; fill in its path or remove the row.")
    ids = [str(name).replace("\\", "/") for name in frame["path"]]
    files = [path.parent / name for name in ids]
    known = {
        part: getattr(rows, part) for part in ("name", "target", "task", "y", "classes", "weight", "group", "time")
    }
    loaded, notes = load({"train": Listing(where=str(path), files=files, ids=ids, **known)}, options)
    others = [name for name in frame if name != "path"]
    if others:
        notes.append(f"These columns of {path} are not used: {some(others)}.")
    return Splits(loaded["train"], notes=(*split.notes, *notes))


def _single(path: Path, options: ReadOptions) -> Splits:
    """One picture, at prediction."""
    if not is_picture(path):
        raise DataError(f"{path} is not a picture file; give one of {some(sorted(SUFFIXES), most=20)}.")
    if options.labelled:
        raise DataError(f"{path} is one picture; give a folder that holds one folder of pictures per class.")
    listing = Listing(str(path), path.stem, "class", [path], [_text(path.name)], options.task or "classification")
    loaded, _ = load({"train": listing}, options)
    return Splits(loaded["train"])


def _split(path: Path) -> tuple[dict[str, Path], list[str]]:
    """The folders of training, validation and test rows; the root itself if it is not split."""
    for root in (path, *_only(_folders(path))):
        folders = _folders(root)
        by_name = {folder.name.lower(): folder for folder in reversed(folders)}
        named = {
            part: next((by_name[name] for name in names if name in by_name), None)
            for part, names in _SPLIT_NAMES.items()
        }
        parts = {part: folder for part, folder in named.items() if folder is not None}
        if "train" in parts and (len(parts) > 1 or (len(folders) == 1 and len(_folders(parts["train"])) > 1)):
            others = some(_text(folder.name) for folder in folders if folder not in parts.values())
            return parts, [f"{root} is read as a split; its other folders are left out: {others}."] if others else []
    return {"train": path}, []


def _by_class(folder: Path, root: Path, name: str) -> tuple[Listing | None, list[str]]:
    """The pictures of one part, labelled by the folder they are in; None if no picture is in a folder of a class."""
    where = str(folder)
    loose, others = _files(folder, nested=False)
    files: list[Path] = []
    labels: list[str] = []
    empty = []
    for child in _folders(folder):
        pictures, ignored = _files(child)
        others += ignored
        files += pictures
        labels += [_text(child.name)] * len(pictures)
        if not pictures:
            empty.append(_text(child.name))
    notes = []
    if loose and files:
        names = some(_text(file.name) for file in loose)
        notes.append(f"Pictures of {where} that are not in a class folder are left out: {names}.")
    if loose and not files and folder != root:
        notes.append(f"{where} has {len(loose)} pictures but no class folders; without labels they are left out.")
    if empty and files:
        notes.append(f"These folders of {where} have no picture and do not count as classes: {some(empty)}.")
    if others:
        names = some(_text(file.name) for file in others)
        notes.append(f"Files of {where} that are not pictures are left out: {names}.")
    ids = [_relative(file, root) for file in files]
    classes = tuple(natural_order(labels))
    place = {label: code for code, label in enumerate(classes)}
    y = np.array([place[label] for label in labels], dtype=np.int64)
    return (Listing(where, name, "class", files, ids, y=y, classes=classes) if files else None), notes


def _without_classes(folder: Path) -> str:
    loose, _ = _files(folder, nested=False)
    if not loose:
        return _no_picture(folder)
    return (
        f"{folder} holds {len(loose)} pictures but no class folders; put them into one folder per class, "
        "or give a CSV of path,label."
    )


def _no_picture(folder: Path) -> str:
    suffixes = some(sorted(SUFFIXES), most=20)
    return f"{folder} holds no picture; give a folder that holds one folder per class with pictures ({suffixes})."


def _visible(name: str) -> bool:
    return not name.startswith(".") and name.lower() not in _CLUTTER


def _folders(folder: Path) -> list[Path]:
    """The visible folders in a folder, in order of their names."""
    return sorted(child for child in folder.iterdir() if child.is_dir() and _visible(child.name))


def _only(folders: Sequence[Path]) -> Sequence[Path]:
    return folders if len(folders) == 1 else ()


def _files(folder: Path, nested: bool = True) -> tuple[list[Path], list[Path]]:
    """The picture files under a folder in the order of their paths, and the other files; links are followed, and each
    folder is entered once."""
    paths: list[Path] = []
    entered = set()
    for base, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(base)
        folders[:] = sorted(name for name in folders if _visible(name)) if nested and real not in entered else []
        if real not in entered:
            paths += [Path(base, name) for name in sorted(names) if _visible(name)]
        entered.add(real)
    files = [file for file in paths if file.is_file()]
    return [file for file in files if is_picture(file)], [file for file in files if not is_picture(file)]


def _relative(file: Path, root: Path) -> str:
    return _text(file.relative_to(root).as_posix())


def _text(name: str) -> str:
    """A file's name as text: with composed letters, and decoded if it comes from a Chinese system (GB18030 bytes)."""
    raw = os.fsencode(name)
    for encoding in ("utf-8", "gb18030"):
        try:
            return unicodedata.normalize("NFC", raw.decode(encoding))
        except UnicodeDecodeError:
            continue
    return raw.decode("utf-8", errors="backslashreplace")

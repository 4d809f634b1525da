"""Pictures in folders, one folder per class, split or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from rarebird.core.checks import DataError, some
from rarebird.data.dataset import Splits, natural_order
from rarebird.readers import folder_layout, spellings
from rarebird.readers.folder_layout import files_under, text_of
from rarebird.readers.options import ReadOptions
from rarebird.readers.picture_listing import Listing
from rarebird.readers.picture_rows import load
from rarebird.readers.pictures import SUFFIXES, is_picture


def read(path: Path, options: ReadOptions) -> Splits:
    """Pictures of a folder; without labels also a single picture.

    There is one folder per class: all pictures under it, also in nested folders, belong to that class. A folder may be
    split into `train` and `val` or `test` (`folder_layout.layout_of`). Hidden files and files of the operating system
    are ignored. With ``options.labelled`` False every picture under the folder is a row, or of a split every picture
    of its test rows (without them, of its validation rows), and folder names do not matter. Ids are the paths relative
    to `path`.

    Args:
        path: A folder, or one picture if labels are not wanted.
        options: `groups_pattern`, `image_size`, `image_shape`, `cache`, `labelled`, `role`.

    Raises:
        DataError: There is no picture, one class only, no readable picture, a class in `val` or `test` that `train`
            lacks, or folders that are neither classes nor a split.
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
    return _labelled(path, options) if options.labelled else _unlabelled(path, options)


def _labelled(path: Path, options: ReadOptions) -> Splits:
    """Pictures whose folders name their classes."""
    name = path.resolve().name
    layout = folder_layout.layout_of(path)
    notes = [*layout.notes]
    parts: dict[str, Listing] = {}
    for part, folder in layout.parts.items():
        listed, more = _by_class(folder, path, name if part == "train" else f"{name}/{part}")
        notes += more
        if listed is None and part == "train":
            raise DataError(_without_classes(folder))
        if listed is not None:
            parts[part] = _as_in(parts["train"].classes, listed) if parts else listed
    if options.role == "training rows":
        folder_layout.check_class_folders(layout.parts["train"], parts["train"].classes)
    loaded = load(parts, options)
    return replace(loaded, notes=(*notes, *loaded.notes))


def _as_in(known: Sequence[str], listing: Listing) -> Listing:
    """Pictures of another part, whose classes have the names that training has, where only the spelling differs."""
    names = [spellings.among(label, known) or label for label in listing.classes]
    return replace(listing, classes=tuple(names)) if len(set(names)) == len(names) else listing


def _unlabelled(path: Path, options: ReadOptions) -> Splits:
    """All pictures of a folder; of a split, those to predict."""
    layout = folder_layout.layout_of(path)
    part = next((part for part in ("test", "val") if part in layout.parts and layout.is_split), None)
    folder = path if part is None else layout.parts[part]
    files, _ = files_under(folder)
    if not files:
        raise DataError(_no_picture(folder))
    ids = [_relative(file, path) for file in files]
    listing = Listing(str(folder), path.resolve().name, "class", files, ids, options.task or "classification")
    loaded = load({"train": listing}, options)
    rows = {"test": "test", "val": "validation"}.get(part or "")
    notes = [f"{path} is split: only its {rows} rows, the pictures of {folder}, are read."] if rows else []
    return replace(loaded, notes=(*notes, *loaded.notes))


def _single(path: Path, options: ReadOptions) -> Splits:
    """One picture, at prediction."""
    if not is_picture(path):
        raise DataError(f"{path} is not a picture file; give one of {some(sorted(SUFFIXES), most=20)}.")
    if options.labelled:
        raise DataError(f"{path} is one picture; give a folder that holds one folder of pictures per class.")
    listing = Listing(str(path), path.stem, "class", [path], [text_of(path.name)], options.task or "classification")
    return load({"train": listing}, options)


def _by_class(folder: Path, root: Path, name: str) -> tuple[Listing | None, list[str]]:
    """The pictures of one part, labelled by the folder they are in; None if no picture is in a folder of a class."""
    where = str(folder)
    loose, others = files_under(folder, nested=False)
    files: list[Path] = []
    labels: list[str] = []
    empty, masks = [], list[Path]()
    for child in folder_layout.folders(folder):
        pictures, ignored = files_under(child)
        pictures, drawn = folder_layout.without_masks(pictures)
        others += ignored
        masks += drawn
        files += pictures
        labels += [text_of(child.name)] * len(pictures)
        if not pictures:
            empty.append(text_of(child.name))
    notes = []
    if loose and files:
        names = some(text_of(file.name) for file in loose)
        notes.append(f"Pictures of {where} that are not in a class folder are left out: {names}.")
    if loose and not files and folder != root:
        notes.append(f"{where} has {len(loose)} pictures but no class folders; without labels they are left out.")
    if empty and files:
        notes.append(f"These folders of {where} have no picture and do not count as classes: {some(empty)}.")
    if others:
        names = some(text_of(file.name) for file in others)
        notes.append(f"Files of {where} that are not pictures are left out: {names}.")
    if masks:
        names = some(text_of(file.name) for file in masks)
        notes.append(f"Masks of {where}, which have the names of other pictures in theirs, are left out: {names}.")
    if shared := folder_layout.repeated_subfolders(folder):
        notes.append(f"Every class folder of {where} holds the folders {some(shared)}, whose names are not used.")
    ids = [_relative(file, root) for file in files]
    labels, more = _one_spelling(labels, where)
    notes += more
    classes = tuple(natural_order(labels))
    place = {label: code for code, label in enumerate(classes)}
    y = np.array([place[label] for label in labels], dtype=np.int64)
    return (Listing(where, name, "class", files, ids, y=y, classes=classes) if files else None), notes


def _one_spelling(labels: list[str], where: str) -> tuple[list[str], list[str]]:
    """Labels of which none differs from another only by case or blanks, and a note on those that did."""
    place, _ = spellings.one_spelling(Counter(labels))
    shared = Counter(place.values())
    alike = sorted(label for label in place if shared[place[label]] > 1)
    if not alike:
        return labels, []
    note = f"Folders of {where} that differ only by case or blanks are one class: {some(map(repr, alike))}."
    return [place[label] if label in alike else label for label in labels], [note]


def _without_classes(folder: Path) -> str:
    loose, _ = files_under(folder, nested=False)
    if not loose:
        return _no_picture(folder)
    return (
        f"{folder} holds {len(loose)} pictures but no class folders; put them into one folder per class, "
        "or give a CSV of path,label."
    )


def _no_picture(folder: Path) -> str:
    suffixes = some(sorted(SUFFIXES), most=20)
    _, others = files_under(folder)
    if others:
        names = some((_relative(file, folder) for file in others), most=3)
        return (
            f"{folder} holds no picture, but {names}; give a folder that holds one folder per class with pictures "
            f"({suffixes}), or the file itself if it is a table."
        )
    return f"{folder} holds no picture; give a folder that holds one folder per class with pictures ({suffixes})."


def _relative(file: Path, root: Path) -> str:
    return text_of(file.relative_to(root).as_posix())

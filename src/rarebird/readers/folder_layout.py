"""Which folder of pictures holds which part of the data, and which folders are classes."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rarebird.core.checks import DataError, some
from rarebird.readers.pictures import is_picture

# The first name of each part is the one that messages suggest.
_PART_NAMES: dict[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev", "eval", "evaluation"),
    "test": ("test", "testing"),
}
# Words that may be joined to a part's name: trainset, test_images.
_JOINED = re.compile(r"(?:set|data|images|imgs|pics)$")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
# What operating systems, archivers and network drives leave behind; hidden names are passed over as well.
_CLUTTER = frozenset(
    ("__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "recycler", "system volume information")
    + ("lost+found", "@eadir", "@tmp", "@recycle", "@recently-snapshot", "#recycle", "#snapshot")
    + ("thumbnails", "__pycache__")
)


# Folders of pictures beside those of what was drawn on them.
_PICTURES = frozenset(("images", "image", "imgs", "img", "pictures", "photos", "jpegimages"))
_DRAWN = re.compile(
    r"(?:masks?|labels?|labelmaps?|annotations?|annots?|segmentation(?:s|class|object)?|gts?|ground_?truths?)"
)
_MASK = re.compile(r"(.+)[_-](?:mask|seg|segmentation|label|labels|gt|annotation)(?:_?\d+)?", re.IGNORECASE)


@dataclass(frozen=True)
class Layout:
    """The folders of training, validation and test rows.

    Attributes:
        parts: ``train`` and, if the folder is split, ``val`` and ``test`` -> folder that holds one folder per class.
        is_split: Whether it is; otherwise ``train`` is the folder itself.
        notes: Sentences on how the folders were read.
    """

    parts: Mapping[str, Path]
    is_split: bool
    notes: tuple[str, ...] = field(default=())


def layout_of(root: Path) -> Layout:
    """The parts of a folder: it is split if it holds a folder of training rows (``train``, ``seg_train``,
    ``trainset``) beside one of validation or test rows; so is a folder that only holds a split.

    Raises:
        DataError: Several folders could be the same part.
    """
    folder = root
    while True:
        found = _split(folder)
        if found is not None:
            return found
        inside = [child for child in folders(folder) if has_pictures(child)]
        if (pictures := _beside_masks(inside)) is not None:
            masks = some(text_of(child.name) for child in inside if child != pictures)
            note = f"Only {pictures.name} of {folder} is read; these folders hold masks and are left out: {masks}."
            return replace(layout_of(pictures), notes=(note,))
        if len(inside) != 1 or _has_loose_pictures(folder):
            return Layout({"train": root}, is_split=False)
        folder = inside[0]


def check_class_folders(folder: Path, named: Sequence[str]) -> None:
    """Check that the folders of a class are classes: none is called as a part of the data is, and a single one does
    not hold the classes itself.

    Args:
        folder: Holds the folders.
        named: Names of the folders that have pictures.

    Raises:
        DataError: The message names the folder to give instead, or what to rename.
    """
    every_part = {name for names in _PART_NAMES.values() for name in names}
    part = next((name for name in named if name.lower() in every_part), None)
    if part is not None and len(named) > 1:
        others = some([repr(name) for name in named if name != part])
        raise DataError(
            f"{folder} holds the folder {part!r} beside {others}, which is no split into train and test. For a split, "
            f"rename the folders to train and test; if {part!r} is a class, rename it or list the pictures in a CSV of "
            "path,label."
        )
    holder = _folder_of_classes(folder)
    if holder is not None and holder != folder:
        classes = some([repr(text_of(child.name)) for child in folders(holder) if has_pictures(child)])
        raise DataError(f"{folder} has no folder for each class, but {holder} has ({classes}); give {holder}.")


def repeated_subfolders(folder: Path) -> list[str]:
    """Names of folders that every class folder holds, if there are several: they may be the classes, or a split."""
    classes = [child for child in folders(folder) if has_pictures(child)]
    inside = [{text_of(child.name) for child in folders(one) if has_pictures(child)} for one in classes]
    shared = set.intersection(*inside) if len(inside) > 1 else set()
    return sorted(shared) if len(shared) > 1 else []


def folders(folder: Path) -> list[Path]:
    """The visible folders in a folder, in order of their names."""
    return sorted(child for child in folder.iterdir() if child.is_dir() and is_visible(child.name))


def files_under(folder: Path, nested: bool = True) -> tuple[list[Path], list[Path]]:
    """The picture files under a folder in the order of their paths, and the other files; links are followed, and each
    folder is entered once."""
    paths: list[Path] = []
    entered = set()
    for base, inner, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(base)
        inner[:] = sorted(name for name in inner if is_visible(name)) if nested and real not in entered else []
        if real not in entered:
            paths += [Path(base, name) for name in sorted(names) if is_visible(name)]
        entered.add(real)
    files = [file for file in paths if file.is_file()]
    return [file for file in files if is_picture(file)], [file for file in files if not is_picture(file)]


def has_pictures(folder: Path) -> bool:
    """Whether a picture is under the folder; stops at the first one."""
    entered = set()
    for base, inner, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(base)
        if real in entered:
            inner.clear()
            continue
        entered.add(real)
        inner[:] = sorted(name for name in inner if is_visible(name))
        if any(is_visible(name) and is_picture(Path(name)) for name in names):
            return True
    return False


def text_of(name: str) -> str:
    """A file's name as text: with composed letters, and decoded if it comes from a Chinese system (GB18030 bytes)."""
    raw = os.fsencode(name)
    for encoding in ("utf-8", "gb18030"):
        try:
            return unicodedata.normalize("NFC", raw.decode(encoding))
        except UnicodeDecodeError:
            continue
    return raw.decode("utf-8", errors="backslashreplace")


def is_visible(name: str) -> bool:
    """Whether a file or folder is the user's: not hidden, and not left behind by a system."""
    return not name.startswith(".") and name.lower() not in _CLUTTER


def _beside_masks(inside: Sequence[Path]) -> Path | None:
    """The folder of pictures beside folders of masks, if it holds folders itself; None if these may be classes."""
    pictures = [child for child in inside if child.name.lower() in _PICTURES]
    masks = [child for child in inside if _DRAWN.fullmatch(child.name.lower())]
    whole = len(pictures) == 1 and masks and len(inside) == 1 + len(masks)
    return pictures[0] if whole and folders(pictures[0]) else None


def without_masks(files: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Pictures, and those that are masks of others: ``scan (1)_mask.png`` beside ``scan (1).png``."""
    stems = {(file.parent, file.stem) for file in files}
    masks = [file for file in files if (named := _MASK.fullmatch(file.stem)) and (file.parent, named[1]) in stems]
    drawn = set(masks)
    return [file for file in files if file not in drawn], masks


def _has_loose_pictures(folder: Path) -> bool:
    return any(is_picture(child) and is_visible(child.name) and child.is_file() for child in folder.iterdir())


def _split(folder: Path) -> Layout | None:
    """The parts that a folder's own folders are; None if it is not split."""
    inside = folders(folder)
    by_name = {child.name.lower(): child for child in reversed(inside)}
    parts = {part: child for part in _PART_NAMES if (child := _named(folder, by_name, part)) is not None}
    if len(parts) < 2:
        parts = _paired(by_name) or parts
    alone = len(inside) == 1 and "train" in parts and len(folders(parts["train"])) > 1
    if "train" not in parts or not (len(parts) > 1 or alone):
        return None
    exact = all(child.name.lower() in _PART_NAMES[part] for part, child in parts.items())
    others = some(text_of(child.name) for child in inside if child not in parts.values())
    notes = []
    if not exact or others:
        read_as = {"train": "training", "val": "validation", "test": "test"}
        listed = ", ".join(f"{text_of(child.name)} ({read_as[part]} rows)" for part, child in parts.items())
        left_out = f"; its other folders are left out: {others}" if others else ""
        notes.append(f"{folder} is read as a split: {listed}{left_out}.")
    return Layout({part: _unwrapped(child) for part, child in parts.items()}, is_split=True, notes=tuple(notes))


def _named(folder: Path, by_name: Mapping[str, Path], part: str) -> Path | None:
    """The folder of one part: the one that is called exactly so, or else the only one whose name has such a word."""
    exact = next((by_name[name] for name in _PART_NAMES[part] if name in by_name), None)
    worded = [exact] if exact else [child for child in by_name.values() if part_of(child.name) == part]
    if len(worded) > 1:
        names = some(sorted(text_of(child.name) for child in worded))
        raise DataError(f"{folder} has several folders of {part} rows ({names}); keep one and move the others away.")
    return worded[0] if worded else None


def part_of(name: str) -> str | None:
    """The part that a word of a folder's name stands for; a name with `train` in it is never another part."""
    words = {_JOINED.sub("", word.lower()) or word.lower() for word in _WORD.findall(name)}
    return next((part for part, names in _PART_NAMES.items() if words & set(names)), None)


def _paired(by_name: Mapping[str, Path]) -> dict[str, Path]:
    """Folders whose names differ in nothing but the part, though it is no word of its own: dogstrain, dogstest."""
    for name, child in by_name.items():
        partners = {
            part: by_name[other]
            for part in ("val", "test")
            for word in _PART_NAMES[part]
            if "train" in name and (other := name.replace("train", word)) in by_name
        }
        if partners:
            return {"train": child, **partners}
    return {}


def _unwrapped(part: Path) -> Path:
    """A part's folder of classes: within a folder of the same name or kind, as in seg_train/seg_train."""
    while True:
        inside = [child for child in folders(part) if has_pictures(child)]
        if len(inside) != 1 or _has_loose_pictures(part):
            return part
        child = inside[0]
        same = child.name.lower() in (part.name.lower(), "images", "imgs", "pictures", "data")
        if not (same or part_of(child.name) == part_of(part.name)):
            return part
        part = child


def _folder_of_classes(folder: Path) -> Path | None:
    """The first folder with several class folders, going down through folders that hold one folder alone."""
    while True:
        inside = [child for child in folders(folder) if has_pictures(child)]
        if len(inside) > 1:
            return folder
        if not inside or _has_loose_pictures(folder):
            return None
        folder = inside[0]

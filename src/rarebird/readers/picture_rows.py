"""Lists of picture files with their labels -> data sets whose parts share one working shape."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rarebird.core.checks import DataError, some
from rarebird.data.dataset import Dataset, Pixels, Task
from rarebird.readers.options import ReadOptions
from rarebird.readers.picture_store import decode, headers
from rarebird.readers.pictures import Shape, working_shape


@dataclass(frozen=True)
class Listing:
    """The picture files of one part of a data set.

    Attributes:
        where: Name in messages: the folder or CSV.
        name: The name of the data set in reports.
        target: The name of the label.
        files: n paths.
        ids: The user's names of the n pictures.
        task: The task that `y` is for.
        y: ``(n,)`` codes into `classes` or numbers; None without labels.
        classes: The class labels.
        weight, group, time: ``(n,)`` or None.
    """

    where: str
    name: str
    target: str
    files: Sequence[Path]
    ids: Sequence[str]
    task: Task = "classification"
    y: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    weight: np.ndarray | None = None
    group: np.ndarray | None = None
    time: np.ndarray | None = None


def load(parts: dict[str, Listing], options: ReadOptions) -> tuple[dict[str, Dataset], list[str]]:
    """Decode every part at the working shape of `train`; the other parts are aligned to its classes.

    Args:
        parts: ``train`` and, if the data came split, ``val`` and ``test``; each with at least one file.
        options: Pattern for groups, working size, cache, and whether the rows are for training.

    Returns:
        The same parts as data sets, and notes on what was left out.

    Raises:
        DataError: No picture of a part can be read, a training set has one class only, a part has a class that the
            training rows lack, or the pattern for groups cannot be used.
    """
    groups = {part: _groups(listing, options.groups_pattern) for part, listing in parts.items()}
    heads = {part: headers(listing.files) for part, listing in parts.items()}
    shape: Shape = working_shape(heads["train"], options) if heads["train"] else (1, 1, 1)
    deep = any(head.deep for part in heads.values() for head in part)
    loaded: dict[str, Dataset] = {}
    notes: list[str] = []
    for part, listing in parts.items():
        data, more = _dataset(listing, groups[part], shape, deep, options.cache)
        if part == "train" and options.role == "training rows" and data.n_classes == 1:
            raise DataError(
                f"{listing.where} holds only one class ({data.classes[0]!r}); give pictures of two classes or more."
            )
        loaded[part] = data.aligned(loaded["train"].classes) if loaded else data
        notes += more
    return loaded, notes


def _groups(listing: Listing, pattern: str | None) -> np.ndarray | None:
    """``(n,)`` the text that the pattern's group matches in each id; without a pattern, the listing's own groups."""
    if pattern is None:
        return listing.group
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise DataError(f"The groups pattern {pattern!r} is not a regular expression ({error}); correct it.") from None
    if compiled.groups != 1:
        raise DataError(
            f"The groups pattern {pattern!r} has {compiled.groups} groups, but needs one in parentheses, "
            "as in 'person(\\d+)'."
        )
    groups = np.empty(len(listing.ids), dtype=object)
    for row, name in enumerate(listing.ids):
        match = compiled.search(name)
        if match is None or match[1] is None:
            raise DataError(f"The groups pattern {pattern!r} finds nothing in {name!r} of {listing.where}; correct it.")
        groups[row] = match[1]
    return groups


def _dataset(
    listing: Listing, group: np.ndarray | None, shape: Shape, deep: bool, cache: Path | None
) -> tuple[Dataset, list[str]]:
    """One part, decoded. Unreadable pictures are left out with a note, and so are classes without a readable one."""
    array, reasons = decode(listing.files, shape, deep=deep, cache=cache)
    n = len(listing.files)
    broken = some(f"{listing.ids[row]} ({why})" for row, why in sorted(reasons.items()))
    if len(reasons) == n:
        raise DataError(
            f"None of the {n} pictures of {listing.where} can be read: {broken}; give undamaged picture files."
        )
    rows = np.setdiff1d(np.arange(n), list(reasons)).astype(np.int64)
    notes = (
        [f"{len(reasons)} of {n} pictures of {listing.where} cannot be read and are left out: {broken}."]
        if reasons
        else []
    )
    ids = np.empty(len(rows), dtype=object)
    ids[:] = [listing.ids[row] for row in rows]
    y, classes = (None if listing.y is None else listing.y[rows]), listing.classes
    if y is not None and listing.task == "classification":
        present = np.unique(y)
        lost = [label for code, label in enumerate(classes) if code not in present]
        if lost:
            notes.append(f"These classes of {listing.where} have no readable picture and are left out: {some(lost)}.")
        y, classes = np.searchsorted(present, y), tuple(classes[code] for code in present)
    given = {"weight": listing.weight, "group": group, "time": listing.time}
    kept: dict[str, Any] = {part: value if value is None else value[rows] for part, value in given.items()}
    return Dataset(
        "image", listing.task, Pixels(array), rows, y, classes, ids, name=listing.name, target=listing.target, **kept
    ), notes

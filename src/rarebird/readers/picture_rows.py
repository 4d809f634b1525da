"""Lists of picture files with their labels -> data sets whose parts share one working shape."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from rarebird.core.checks import DataError, some
from rarebird.data.dataset import Dataset, Pixels, Splits, UnreadRow
from rarebird.readers.options import ReadOptions
from rarebird.readers.picture_choice import within_time
from rarebird.readers.picture_listing import Listing
from rarebird.readers.picture_store import decode, headers
from rarebird.readers.pictures import MAX_SIDE, Header, Shape, working_shape


def load(parts: dict[str, Listing], options: ReadOptions) -> Splits:
    """Decode every part at the working shape of `train`; the other parts are aligned to its classes.

    Where `options.deadline` does not allow all pictures, a part of each class is decoded.

    Args:
        parts: ``train`` and, if the data came split, ``val`` and ``test``; each with at least one file.
        options: Pattern for groups, working size, cache, and whether the rows are for training.

    Returns:
        The same parts as data sets, with notes on what was left out, and the pictures that could not be read.

    Raises:
        DataError: No picture of a part can be read, a training set has one class only, a part has a class that the
            training rows lack, or the pattern for groups cannot be used.
    """
    for listing in parts.values():
        groups_of(listing, options.groups_pattern)  # refused before anything is decoded
    heads = {part: headers(listing.files) for part, listing in parts.items()}
    shape: Shape = working_shape(heads["train"], options) if heads["train"] else (1, 1, 1)
    deep = any(head.deep for part in heads.values() for head in part)
    parts, notes = within_time(parts, shape, options, deep=deep)
    loaded: dict[str, Dataset] = {}
    unread: list[UnreadRow] = []
    for part, listing in parts.items():
        array, reasons = decode(listing.files, shape, deep=deep, cache=options.cache, on_disk=options.on_disk)
        data, more = _dataset(listing, groups_of(listing, options.groups_pattern), array, reasons, options)
        if part == "train" and options.role == "training rows" and data.n_classes == 1:
            raise DataError(
                f"{listing.where} holds only one class ({data.classes[0]!r}); give a folder of pictures for each of "
                "two classes or more, or a CSV of path,label."
            )
        loaded[part] = data.aligned(loaded["train"].classes) if loaded else data
        notes += more
        unread += [UnreadRow(part, row, listing.ids[row], why) for row, why in sorted(reasons.items())]
    if options.role == "training rows":
        notes += _on_size(heads["train"], shape, options)
    return Splits(loaded["train"], loaded.get("val"), loaded.get("test"), tuple(notes), tuple(unread))


def _on_size(heads: Sequence[Header], shape: Shape, options: ReadOptions) -> list[str]:
    """A sentence on pictures that lose detail, unless the user chose their size."""
    shorter = sorted(min(head.width, head.height) for head in heads)
    middle = shorter[len(shorter) // 2] if shorter else 0
    most = options.largest_side or MAX_SIDE
    if options.image_size is not None or options.image_shape is not None or middle <= most:
        return []
    sides = f"{middle}" if shorter[0] == shorter[-1] else f"{shorter[0]} to {shorter[-1]}"
    return [
        f"Pictures are shrunk to {shape[2]} x {shape[1]} pixels (their shorter sides have {sides}). If small details "
        f"matter, --set image_size={min(2 * most, middle)} keeps more of them; training then takes longer."
    ]


def groups_of(listing: Listing, pattern: str | None) -> np.ndarray | None:
    """``(n,)`` the text that the pattern's group matches in each id; without a pattern, the listing's own groups.

    A pattern with alternatives, ``person(\\d+)|IM-(\\d+)``, has a group in each; equal texts of two alternatives are
    different groups.

    Raises:
        DataError: The pattern is no regular expression, has no group, or matches no group in a name.
    """
    if pattern is None:
        return listing.group
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise DataError(f"The groups pattern {pattern!r} is not a regular expression ({error}); correct it.") from None
    if compiled.groups == 0:
        raise DataError(
            f"The groups pattern {pattern!r} has 0 groups, but needs one in parentheses, as in 'person(\\d+)'."
        )
    groups = np.empty(len(listing.ids), dtype=object)
    for row, name in enumerate(listing.ids):
        match = compiled.search(name)
        number = None if match is None else match.lastindex
        if match is not None and number is not None:
            groups[row] = match[number] if compiled.groups == 1 else f"{number}:{match[number]}"
    missing = np.flatnonzero(groups == None)  # noqa: E711
    if len(missing):
        raise DataError(_misfit(listing, compiled.pattern, groups, missing))
    return groups


def _misfit(listing: Listing, pattern: str, groups: np.ndarray, missing: np.ndarray) -> str:
    """The sentence on a pattern that fits some names only: how many, one of each, and what would fit both."""
    n, other = len(groups), listing.ids[missing[0]]
    start = re.match(r"(\D*)\d", other.rpartition("/")[2])
    alternative = f"{pattern}|{re.escape(start[1])}(\\d+)" if start else f"{pattern}|([^/]+)$"
    if len(missing) == n:
        return f"The groups pattern {pattern!r} fits no name of {listing.where}, such as {other!r}; correct it."
    found = next(row for row in range(n) if groups[row] is not None)
    return (
        f"The groups pattern {pattern!r} fits {n - len(missing)} of the {n} names of {listing.where}: it fits "
        f"{listing.ids[found]!r}, but not {other!r}. Give one pattern with alternatives, such as {alternative!r}."
    )


def _dataset(
    listing: Listing, group: np.ndarray | None, array: np.ndarray, reasons: dict[int, str], options: ReadOptions
) -> tuple[Dataset, list[str]]:
    """One part. Unreadable pictures are left out with a note, and so are classes without a readable one.

    Args:
        listing: The part.
        group: ``(n,)`` groups, or None.
        array: ``(n, channels, height, width)`` decoded pictures.
        reasons: Row -> why it could not be read.
        options: Whether the rows are for training.
    """
    n = len(listing.files)
    broken = some(f"{listing.ids[row]} ({why})" for row, why in sorted(reasons.items()))
    if len(reasons) == n:
        raise DataError(
            f"None of the {n} pictures of {listing.where} can be read: {broken}; give undamaged picture files."
        )
    rows = np.setdiff1d(np.arange(n), list(reasons)).astype(np.int64)
    notes = []
    if reasons and options.labelled:
        notes.append(f"{len(reasons)} of {n} pictures of {listing.where} cannot be read and are left out: {broken}.")
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

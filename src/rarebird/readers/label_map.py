"""A label map: labels of another source -> labels of the data, from a CSV or JSON file."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from rarebird.core.checks import DataError

# A first line of these words names the columns.
HEADERS = ("label", "class")


def read(path: Path) -> dict[str, str]:
    """Label of the other source -> own label; an empty own label leaves the rows out.

    Args:
        path: A CSV of two columns, with or without the first line ``label,class``; or a JSON object.

    Raises:
        DataError: The file cannot be read, or names a label twice.
    """
    if not path.is_file():
        raise DataError(f"There is no file {path} with a label map; check --label-map.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"The label map {path} is no text in UTF-8; save it as CSV or JSON in UTF-8.") from None
    pairs = _json(text, path) if path.suffix.lower() == ".json" else _csv(text, path)
    found: dict[str, str] = {}
    for label, own in pairs:
        if found.get(label, own) != own:
            raise DataError(f"The label map {path} names the label {label!r} twice; keep one of its lines.")
        found[label] = own
    if not found:
        raise DataError(f"The label map {path} is empty; give one line for each label: label,own label.")
    return found


def _csv(text: str, path: Path) -> list[tuple[str, str]]:
    pairs = []
    for number, cells in enumerate(csv.reader(text.splitlines()), start=1):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != 2:
            raise DataError(f"Line {number} of the label map {path} has {len(cells)} cells; give two: label,own label.")
        label, own = (cell.strip() for cell in cells)
        if number > 1 or (label.lower(), own.lower()) != HEADERS:
            pairs.append((label, own))
    return pairs


def _json(text: str, path: Path) -> list[tuple[str, str]]:
    try:
        # Pairs and not a dictionary, so that a label that is named twice is noticed.
        read = json.loads(text, object_pairs_hook=list)
    except json.JSONDecodeError as error:
        raise DataError(f"The label map {path} is no JSON ({error}); correct it, or give a CSV.") from None
    is_object = text.lstrip().startswith("{") and all(isinstance(own, str | int | None) for _, own in read)
    if not is_object:
        raise DataError(f'The label map {path} must be one JSON object of texts: {{"label": "own label"}}.')
    return [(label, "" if own is None else str(own)) for label, own in read]

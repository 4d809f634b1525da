"""Predicts with an exported model of a table; needs numpy and onnxruntime. `predict(model, columns)`, columns: name ->
cells, None or NaN where a cell is missing, dates as numpy's or ISO texts."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import numpy as np
import onnxruntime

from rarebird.model.onnx.loaders.outputs import named


def number(cell: Any) -> float:
    """A cell as a number, NaN where it is none; 08:15 are 8.25 hours."""
    for parts in ([cell], str(cell).split(":")):
        try:
            return sum((float(part) / 60.0**place for place, part in enumerate(parts)), 0.0)
        except (TypeError, ValueError):
            continue
    return np.nan


def text(cell: Any) -> str:
    """A cell as the text of a category: 1, 1.0 and "1" are one category."""
    whole = isinstance(cell, float | np.floating) and float(cell).is_integer()
    return str(int(cell)) if whole else unicodedata.normalize("NFC", str(cell))


def date(cells: Any) -> list[np.ndarray]:
    """Days since 1970, month, day of the week and hour; NaN where the date is missing."""
    when = np.array([np.datetime64("NaT") if cell is None else cell for cell in cells], dtype="datetime64[us]")
    days = (when - np.datetime64(0, "us")) / np.timedelta64(1, "D")
    parts = [when.astype("M8[M]").astype(int) % 12 + 1, (np.floor(days) + 3) % 7, when.astype("M8[h]").astype(int) % 24]
    return [np.where(np.isnat(when), np.nan, part) for part in (days, *parts)]


def predict(model: str, rows: dict[str, Any], coverage: float | None = None) -> dict[str, Any]:
    """Output name -> array; `label` has class names; with a coverage, `set` has the classes of each row's set,
    or `interval` the ends of its interval.
    Unknown categories count as missing."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    about = json.loads(session.get_modelmeta().custom_metadata_map["rarebird"])
    numbers: list[np.ndarray] = []
    codes: list[list[int]] = []
    for column in about["columns"]:
        cells = rows[column["name"]]
        if column["role"] == "category":
            place = {value: code for code, value in enumerate(column["categories"], start=1)}
            known = (
                0 if cell is None or cell != cell else place.get(str(cell), place.get(text(cell), 0)) for cell in cells
            )
            codes.append(list(known))
        else:
            numbers += date(cells) if column["role"] == "date" else [np.array([number(cell) for cell in cells])]
    given: dict[str, np.ndarray] = {"numbers": np.stack(numbers, axis=1).astype(np.float64)} if numbers else {}
    given |= {"categories": np.array(codes, dtype=np.int64).T} if codes else {}
    names = [output.name for output in session.get_outputs()]
    return named(about, dict(zip(names, session.run(names, given), strict=True)), coverage)

"""Rows as a page shows them, before and after a change: a picture, a curve, or the cells of a table."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from rarebird.data.dataset import Dataset
from rarebird.data.prepare import Prepared
from rarebird.data.prepare_table import CLIP, NUMBERS, Column
from rarebird.report.pages import preview
from rarebird.report.pages.preview import View
from rarebird.report.wording import cell_text
from rarebird.slots.protocols import Inputs
from rarebird.training.batches import ready
from rarebird.training.device import Placement

# A smaller change of a cell is not marked, and a smaller share of a class is not named.
SAME, LEAST_SHARE = 1e-6, 0.005


def originals(data: Dataset, prepared: Prepared) -> list[View]:
    """The rows as they are: pictures, curves, or a table's cells with the user's own values."""
    targets = [_target(prepared, row) for row in prepared.targets(data)]
    if data.kind == "table":
        assert prepared.table is not None
        frame = data.raw()
        cells = zip(
            *([cell_text(value) for value in frame[column.name]] for column in prepared.table.columns), strict=True
        )
        return [View(target, cells=row) for target, row in zip(targets, cells, strict=True)]
    x = ready(prepared.inputs(data), Placement("cpu", "float32", False))
    return [_drawn(x, row, target) for row, target in enumerate(targets)]


def changed_view(prepared: Prepared, row: int, original: View, x: Inputs, changed: Inputs, target: Tensor) -> View:
    """One augmented row, compared with its original."""
    text = _target(prepared, target)
    moved = text != original.target
    if prepared.table is None:
        return _drawn(changed, row, text, moved, behind=x)
    before, after = ({name: part[row].numpy() for name, part in inputs.items()} for inputs in (x, changed))
    cells, marks = _cells(prepared.table.columns, before, after, original.cells)
    return View(text, moved, cells=cells, changed=marks)


def _drawn(x: Inputs, row: int, target: str, moved: bool = False, behind: Inputs | None = None) -> View:
    """A picture, or a series in front of its original."""
    if "pixels" in x:
        return View(target, moved, picture=preview.picture(x["pixels"][row].numpy()))
    values = _values(x, row)
    before = None if behind is None else _values(behind, row)
    both = values if before is None else np.concatenate([values, before], axis=1)
    return View(target, moved, curve=preview.curve(values, float(both.min()), float(both.max()), before))


def _values(x: Inputs, row: int) -> np.ndarray:
    """``(channels, length)`` of a series without its padding."""
    values: np.ndarray = x["values"][row].numpy()[:, : max(int(x["lengths"][row]), 1)]
    return values


def _cells(
    columns: tuple[Column, ...], before: dict[str, np.ndarray], after: dict[str, np.ndarray], texts: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    """An augmented table row in the user's own units, and which of its cells changed; unchanged cells keep their
    texts."""
    cells, marks, number, category = [], [], 0, 0
    for column, text in zip(columns, texts, strict=True):
        if column.role == "category":
            code = int(after["categories"][category])
            moved = code != before["categories"][category]
            new = column.categories[code - 1] if code else cell_text(None)
            category += 1
        else:
            part = slice(number, number + NUMBERS[column.role])
            number = part.stop
            moved = bool(np.abs(after["numbers"][part] - before["numbers"][part]).max() > SAME)
            moved |= bool((after["missing"][part] != before["missing"][part]).any())
            new = cell_text(None) if after["missing"][part][0] else _unscaled(column, float(after["numbers"][part][0]))
        cells.append(new if moved else text)
        marks.append(bool(moved))
    return tuple(cells), tuple(marks)


def _unscaled(column: Column, scaled: float) -> str:
    """A prepared number in the column's own unit, or as a date."""
    # Undo the soft clipping; near its limit a float has no digits left.
    inside = float(np.clip(scaled, -0.999 * CLIP, 0.999 * CLIP))
    unclipped = inside / np.sqrt(1 - (inside / CLIP) ** 2)
    value = column.center[0] + (unclipped / column.scale[0] if column.scale[0] else 0.0)
    return str(np.datetime64(round(value), "D")) if column.role == "date" else cell_text(value)


def _target(prepared: Prepared, y: Tensor) -> str:
    """A class, the shares of several classes, or a value in its own unit."""
    if not prepared.classes:
        return cell_text(float(prepared.values(y.numpy())[0]))
    shares = sorted(zip(y.tolist(), prepared.classes, strict=True), key=lambda pair: -pair[0])
    named = [shares[0], *(pair for pair in shares[1:] if pair[0] > LEAST_SHARE)]
    return named[0][1] if len(named) == 1 else " + ".join(f"{100 * share:.0f} % {label}" for share, label in named)

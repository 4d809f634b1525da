"""Training rows before and after a recipe's augmentation and resampling, as one page, so that a person can judge how plausible they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rarebird import experiment, rng
from rarebird.checks import DataError, require
from rarebird.data import prepare
from rarebird.data.dataset import Dataset, Splits
from rarebird.data.prepare import Prepared
from rarebird.data.prepare_table import CLIP, NUMBERS, Column
from rarebird.methods import Method
from rarebird.protocols import Inputs, TrainStatistics
from rarebird.recipe import Recipe
from rarebird.remedies.augmentation.pipeline import Pipeline
from rarebird.report import preview_page
from rarebird.report.preview_page import Page, Resampled, ShownRow, View
from rarebird.training.batches import ready
from rarebird.training.device import Placement

# Below these a cell counts as unchanged, and a share of a class is not spelled out.
SAME, LEAST_SHARE = 1e-6, 0.005


def write(recipe: Recipe, data: Splits, out: Path, rows: int = 8, views: int = 4) -> Path:
    """Write ``preview.html`` into the folder `out`.

    Args:
        recipe: Whose augmentation and resampling are shown; its seed decides all draws.
        data: Rows; only training rows are shown, those that `fit` would train and validate with.
        out: A folder, created where it does not stand.
        rows: How many rows are shown, drawn from all classes in turn. They are one batch: what mixes rows, mixes these.
        views: How many augmented versions of each.

    Returns:
        The page.

    Raises:
        DataError: The recipe has nothing to show, or the rows or the recipe cannot serve.
    """
    require(rows >= 1, "rows >= 1", rows=rows)
    if not recipe.augmentation and recipe.resampling is None:
        raise DataError("The recipe has no augmentation and no resampling to show; name one, as in --set augmentation=[mixup].")
    if out.exists() and not out.is_dir():
        raise DataError(f"{out} is a file; --out takes a folder.")
    notes = list(data.notes)
    train = experiment.separate(data, recipe, experiment.TEST_SHARE, notes).train
    prepared, left_out = prepare.fit(train, recipe.seed)
    draw = rng.stream(recipe.seed, "preview")
    resampling: Any = recipe.resampling
    after = train if resampling is None else resampling(train, rng.stream(recipe.seed, "resampling", 0))
    statistics = TrainStatistics(prepared.spec, after.class_counts)
    shown = [method for method in recipe.augmentation if not getattr(method, "on_features", False)]
    hidden = [type(method).name for method in recipe.augmentation if method not in shown]
    notes += left_out + [
        f"The augmentation {name!r} works between the network's features, where there is nothing to look at." for name in hidden
    ]
    page = Page(
        name=train.name,
        kind=train.kind,
        seed=recipe.seed,
        augmentation=tuple(_settings(method) for method in shown),
        resampling="" if resampling is None else _settings(resampling),
        columns=() if prepared.table is None else tuple(column.name for column in prepared.table.columns),
        rows=tuple(_augmented(chosen(train, rows, draw), prepared, Pipeline(shown, statistics), recipe.seed, views)) if shown else (),
        resampled=None if resampling is None else _resampled(train, after, prepared, rows, draw),
        notes=tuple(notes),
    )
    out.mkdir(parents=True, exist_ok=True)
    preview_page.write(out / "preview.html", page)
    return out / "preview.html"


def chosen(data: Dataset, n: int, draw: np.random.Generator) -> Dataset:
    """At most `n` drawn rows: of each class in turn, the rarest first, so that no class is crowded out; shown class by class."""
    order = draw.permutation(len(data))
    if data.task == "regression":
        return data.take(np.sort(order[:n]))
    codes = data.codes[order]
    counts = np.bincount(codes, minlength=data.n_classes)
    turn = np.empty(len(codes), dtype=np.int64)
    for code in np.unique(codes):
        turn[codes == code] = np.arange(counts[code])
    first = order[np.lexsort((codes, counts[codes], turn))[:n]]
    return data.take(first[np.lexsort((first, data.codes[first]))])


def _augmented(data: Dataset, prepared: Prepared, pipeline: Pipeline, seed: int, views: int) -> list[ShownRow]:
    """The rows and their augmented versions, each drawn as a batch in training is."""
    x = ready(prepared.inputs(data), Placement("cpu", "float32", False))
    y = prepared.targets(data)
    weight = torch.from_numpy((data.weights / data.weights.mean()).astype(np.float32))
    batches = [pipeline(x, y, weight, rng.torch_stream(seed, "preview", view))[:2] for view in range(views)]
    return [
        ShownRow(str(name), (original, *(_view(prepared, row, original, x, changed, target[row]) for changed, target in batches)))
        for row, (name, original) in enumerate(zip(data.ids, originals(data, prepared), strict=True))
    ]


def _resampled(train: Dataset, after: Dataset, prepared: Prepared, rows: int, draw: np.random.Generator) -> Resampled:
    """Counts, and some rows of each fate."""
    origin = _origin(train, after, prepared)
    new, gone = origin < 0, ~np.isin(np.arange(len(train)), origin)
    again = len(after) - int(new.sum()) - int((~gone).sum())
    before, now = train.class_counts, after.class_counts
    counts = () if before is None or now is None else tuple(zip(train.classes, before.tolist(), now.tolist(), strict=True))
    told = ((int(new.sum()), "new"), (again, "copied"), (int(gone.sum()), "taken out"))
    fates = {
        "Rows that stay": train.take(~gone),
        "New rows": after.take(new),
        "Rows that are taken out": train.take(gone),
    }
    groups = {}
    for heading, data in fates.items():
        some = chosen(data, rows, draw)
        views = originals(some, prepared) if len(some) else []
        said = "made from " if heading == "New rows" else ""
        groups[heading] = tuple(ShownRow(f"{said}{name}", (view,)) for name, view in zip(some.ids, views, strict=True))
    sentence = "Rows: " + ", ".join(f"{number:,} {fate}" for number, fate in told) + "."
    return Resampled(counts, (sentence,), {heading: shown for heading, shown in groups.items() if shown})


def _origin(train: Dataset, after: Dataset, prepared: Prepared) -> np.ndarray:
    """``(n,)`` which row of `train` each row of `after` is, -1 for new ones. These may bear the name of a row they were made from."""
    if after.source is train.source:
        place = np.full(len(train.source), -1)
        place[train.index] = np.arange(len(train))
        same: np.ndarray = place[after.index]
        return same
    named = {name: number for number, name in enumerate(train.ids)}
    origin = np.array([named.get(name, -1) for name in after.ids])
    before, now = prepared.inputs(train), prepared.inputs(after)
    for name, part in now.items():
        equal = (part == before[name][torch.from_numpy(origin.clip(min=0))]).flatten(1).all(dim=1)
        origin[~equal.numpy()] = -1
    return origin


def originals(data: Dataset, prepared: Prepared) -> list[View]:
    """The rows as they are, pictures and curves drawn; a table's cells in the user's own values."""
    targets = [_target(prepared, row) for row in prepared.targets(data)]
    if data.kind == "table":
        assert prepared.table is not None
        frame = data.raw()
        cells = zip(*([_text(value) for value in frame[column.name]] for column in prepared.table.columns), strict=True)
        return [View(target, cells=row) for target, row in zip(targets, cells, strict=True)]
    x = ready(prepared.inputs(data), Placement("cpu", "float32", False))
    return [_drawn(x, row, target) for row, target in enumerate(targets)]


def _view(prepared: Prepared, row: int, original: View, x: Inputs, changed: Inputs, target: Tensor) -> View:
    """One augmented row beside its original."""
    told = _target(prepared, target)
    moved = told != original.target
    if prepared.table is None:
        return _drawn(changed, row, told, moved, behind=x)
    before, after = ({name: part[row].numpy() for name, part in inputs.items()} for inputs in (x, changed))
    cells, marks = _cells(prepared.table.columns, before, after, original.cells)
    return View(told, moved, cells=cells, changed=marks)


def _drawn(x: Inputs, row: int, target: str, moved: bool = False, behind: Inputs | None = None) -> View:
    """A picture or a series; a series with what it was behind it."""
    if "pixels" in x:
        return View(target, moved, picture=preview_page.picture(x["pixels"][row].numpy()))
    values = _within(x, row)
    before = None if behind is None else _within(behind, row)
    both = values if before is None else np.concatenate([values, before], axis=1)
    return View(target, moved, curve=preview_page.curve(values, float(both.min()), float(both.max()), before))


def _within(x: Inputs, row: int) -> np.ndarray:
    """``(channels, length)`` of a series without its padding."""
    values: np.ndarray = x["values"][row].numpy()[:, : max(int(x["lengths"][row]), 1)]
    return values


def _cells(
    columns: tuple[Column, ...], before: dict[str, np.ndarray], after: dict[str, np.ndarray], texts: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    """An augmented table row in the user's own units, and which of its cells changed; the others keep their texts."""
    cells, marks, number, category = [], [], 0, 0
    for column, text in zip(columns, texts, strict=True):
        if column.role == "category":
            code = int(after["categories"][category])
            moved = code != before["categories"][category]
            new = column.categories[code - 1] if code else _text(None)
            category += 1
        else:
            part = slice(number, number + NUMBERS[column.role])
            number = part.stop
            moved = bool(np.abs(after["numbers"][part] - before["numbers"][part]).max() > SAME)
            moved |= bool((after["missing"][part] != before["missing"][part]).any())
            new = _text(None) if after["missing"][part][0] else _unscaled(column, float(after["numbers"][part][0]))
        cells.append(new if moved else text)
        marks.append(bool(moved))
    return tuple(cells), tuple(marks)


def _unscaled(column: Column, scaled: float) -> str:
    """A prepared number in the column's own unit; a date by its days."""
    # The soft clipping, undone; at its very end a float has no digits left.
    inside = float(np.clip(scaled, -0.999 * CLIP, 0.999 * CLIP))
    unclipped = inside / np.sqrt(1 - (inside / CLIP) ** 2)
    value = column.center[0] + (unclipped / column.scale[0] if column.scale[0] else 0.0)
    return str(np.datetime64(round(value), "D")) if column.role == "date" else _text(value)


def _text(value: object) -> str:
    """A cell; a dash where it is missing."""
    import pandas as pd

    if pd.isna(value):  # type: ignore[call-overload]
        return "–"
    if isinstance(value, pd.Timestamp):
        return str(value.date()) if value == value.normalize() else str(value)
    if not isinstance(value, float | np.floating):
        return str(value)
    number = float(value)
    return f"{number:.0f}" if 1e5 <= abs(number) < 1e12 else f"{number:.5g}"


def _target(prepared: Prepared, y: Tensor) -> str:
    """A class, the shares of several, or a value in its own unit."""
    if not prepared.classes:
        return _text(float(prepared.values(y.numpy())[0]))
    shares = sorted(zip(y.tolist(), prepared.classes, strict=True), key=lambda pair: -pair[0])
    told = [shares[0], *(pair for pair in shares[1:] if pair[0] > LEAST_SHARE)]
    return told[0][1] if len(told) == 1 else " + ".join(f"{100 * share:.0f} % {label}" for share, label in told)


def _settings(method: Method) -> str:
    plain = method.settings()
    rest = ", ".join(f"{key} = {value!r}" for key, value in plain.items() if key != "name")
    return f"{plain['name']}: {rest}" if rest else str(plain["name"])

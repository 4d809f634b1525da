"""Shows training rows before and after a recipe's augmentation and resampling on one page, so that a person can judge
how plausible they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rarebird.core import rng
from rarebird.core.checks import DataError, require
from rarebird.data import prepare
from rarebird.data.dataset import Dataset, Splits
from rarebird.data.prepare import Prepared
from rarebird.diagnostics.mixed_rows import sources
from rarebird.diagnostics.row_views import changed_view, originals
from rarebird.experiment.setup import TEST_SHARE, separate
from rarebird.methods.augmentation._pipeline import Pipeline
from rarebird.recipe.recipe import Recipe
from rarebird.report.pages import preview
from rarebird.report.pages.preview import Page, Resampled, ShownRow, View
from rarebird.runs.output_folder import OutputFolder
from rarebird.slots.methods import Method
from rarebird.slots.protocols import TrainStatistics
from rarebird.training.batches import ready
from rarebird.training.device import Placement

PAGE = "preview.html"
FILES = (PAGE,)


def write(recipe: Recipe, data: Splits, out: OutputFolder, rows: int = 8, views: int = 4) -> Path:
    """Write `PAGE` into the folder `out`.

    Args:
        recipe: Its augmentation and resampling are shown; its seed decides all random draws.
        data: The rows; shown are only training rows, those that `fit` would train and validate with.
        out: The folder.
        rows: Number of rows, drawn from all classes in turn. They form one batch: an augmentation that mixes rows mixes
            these.
        views: Number of augmented versions of each row.

    Returns:
        The page's path.

    Raises:
        DataError: The recipe has nothing to show, or the rows or the recipe cannot be used.
    """
    require(rows >= 1, "rows >= 1", rows=rows)
    if not recipe.augmentation and recipe.resampling is None:
        raise DataError(
            "The recipe has no augmentation and no resampling to show; name one, as in --set augmentation=[mixup]."
        )
    page = _page(recipe, data, rows, views)
    with out.replacing() as building:
        preview.write(building / PAGE, page)
    return out.path / PAGE


def _page(recipe: Recipe, data: Splits, rows: int, views: int) -> Page:
    splits = separate(data, recipe, TEST_SHARE)
    train = splits.train
    prepared, left_out = prepare.fit(train, recipe.seed)
    draw = rng.stream(recipe.seed, "preview")
    resampling: Any = recipe.resampling
    after = train if resampling is None else resampling(train, rng.stream(recipe.seed, "resampling", 0))
    shown = [method for method in recipe.augmentation if not getattr(method, "on_features", False)]
    hidden = [type(method).name for method in recipe.augmentation if method not in shown]
    augmented: Sequence[ShownRow] = ()
    if shown:
        counts = None if after.task == "regression" else after.weighted_counts
        pipeline = Pipeline(shown, TrainStatistics(prepared.spec, counts))
        augmented = _augmented(chosen(train, rows, draw), prepared, pipeline, recipe.seed, views)
    notes = [
        *splits.notes,
        *left_out,
        *(f"The augmentation {name!r} changes features inside the network, which cannot be shown." for name in hidden),
    ]
    return Page(
        name=train.name,
        kind=train.kind,
        seed=recipe.seed,
        augmentation=tuple(_settings(method) for method in shown),
        resampling="" if resampling is None else _settings(resampling),
        columns=() if prepared.table is None else tuple(column.name for column in prepared.table.columns),
        rows=tuple(augmented),
        resampled=None if resampling is None else _resampled(train, after, prepared, rows, draw),
        notes=tuple(notes),
    )


def chosen(data: Dataset, n: int, draw: np.random.Generator) -> Dataset:
    """At most `n` random rows, sorted by class; they are taken from the classes in turn, the rarest first, so that each
    class has some."""
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
    names, shown = [str(name) for name in data.ids], originals(data, prepared)
    rows: list[list[View]] = [[original] for original in shown]
    for view in range(views):
        draws = partial(rng.torch_stream, seed, "preview", view)
        changed, target, _ = pipeline(x, y, weight, draws())
        for row, others in enumerate(sources(pipeline, (x, y, weight), draws)):
            one = changed_view(prepared, row, shown[row], x, changed, target[row])
            rows[row].append(replace(one, sources=tuple((names[other], shown[other]) for other in others)))
    return [ShownRow(name, tuple(row)) for name, row in zip(names, rows, strict=True)]


def _resampled(train: Dataset, after: Dataset, prepared: Prepared, rows: int, draw: np.random.Generator) -> Resampled:
    """Rows per class before and after, and some rows that stay, are new, or are taken out."""
    origin = _origin(train, after, prepared)
    new, gone = origin < 0, ~np.isin(np.arange(len(train)), origin)
    copied = len(after) - int(new.sum()) - int((~gone).sum())
    before, now = train.class_counts, after.class_counts
    counts: tuple[tuple[str, int, int], ...] = ()
    if before is not None and now is not None:
        counts = tuple(zip(train.classes, before.tolist(), now.tolist(), strict=True))
    numbers = ((int(new.sum()), "new"), (copied, "copied"), (int(gone.sum()), "taken out"))
    parts = {
        "Rows that stay": train.take(~gone),
        "New rows": after.take(new),
        "Rows that are taken out": train.take(gone),
    }
    groups = {}
    for heading, data in parts.items():
        some = chosen(data, rows, draw)
        views = originals(some, prepared) if len(some) else []
        prefix = "made from " if heading == "New rows" else ""
        groups[heading] = tuple(
            ShownRow(f"{prefix}{name}", (view,)) for name, view in zip(some.ids, views, strict=True)
        )
    sentence = "Rows: " + ", ".join(f"{number:,} {what}" for number, what in numbers) + "."
    return Resampled(counts, (sentence,), {heading: shown for heading, shown in groups.items() if shown})


def _origin(train: Dataset, after: Dataset, prepared: Prepared) -> np.ndarray:
    """``(n,)`` the position in `train` of each row of `after`; -1 for a new row, which may have the name of its
    original."""
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


def _settings(method: Method) -> str:
    plain = method.settings()
    rest = ", ".join(f"{key} = {value!r}" for key, value in plain.items() if key != "name")
    return f"{plain['name']}: {rest}" if rest else str(plain["name"])

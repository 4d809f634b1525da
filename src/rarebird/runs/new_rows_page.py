"""New rows as the pages of `synthesize` and of a run show them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from rarebird.core import rng
from rarebird.core.compute import Compute
from rarebird.data import prepare
from rarebird.data.dataset import Dataset
from rarebird.data.prepare import Prepared
from rarebird.data.row_counts import counted
from rarebird.evaluation.result import SyntheticRows
from rarebird.experiment.run import Outcome
from rarebird.recipe import ensemble
from rarebird.recipe.recipe import Recipe
from rarebird.report.figures import columns
from rarebird.report.pages import preview
from rarebird.report.pages import synthetic_rows as page_file
from rarebird.report.pages.preview import View
from rarebird.report.pages.synthetic_rows import Page, shown
from rarebird.report.wording import cell_text
from rarebird.runs.synthesize import NewRows, neighbors_of
from rarebird.training.device import choose_device

# New rows on the page, and real rows beside them.
MOST_SHOWN, MOST_REAL = 48, 24


def page_of(found: NewRows, file: str) -> Page:
    """Everything on the page.

    Args:
        found: The new rows.
        file: Name of the file that holds them all.
    """
    train = found.train
    prepared, _ = prepare.fit(train)
    new = found.made.take(np.arange(min(len(found.made), MOST_SHOWN)))
    near = train.take(found.neighbors[: len(new)])
    own = np.flatnonzero(train.codes == train.classes.index(found.verdict.label))
    real = train.take(own[np.unique(np.linspace(0, len(own) - 1, min(len(own), MOST_REAL)).astype(int))])
    pairs = _pairs(new, near, prepared)
    is_table = train.kind == "table"
    return Page(
        name=train.name,
        kind=train.kind,
        sentence=found.sentence(),
        file=file,
        pairs=tuple(zip(*pairs, map(str, near.ids), strict=True)),
        real=() if is_table else tuple(_views(real, prepared)),
        figure=columns.drawn(train.take(own).raw(), found.made.raw()) if is_table else "",
        verdicts=tuple(one for verdict in found.verdicts for one in shown(verdict)),
        columns=tuple(map(str, new.raw().columns)) if is_table else (),
        notes=found.notes,
    )


def _pairs(new: Dataset, near: Dataset, prepared: Prepared) -> tuple[list[View], list[View]]:
    """New rows and their nearest training rows; a series is drawn in front of it."""
    if new.kind != "series":
        return _views(new, prepared), _views(near, prepared)
    both = [_curves(rows, prepared) for rows in (new, near)]
    low, high = min(one.min() for one in chain(*both)), max(one.max() for one in chain(*both))
    curves = [preview.curve(one, low, high, behind) for one, behind in zip(*both, strict=True)]
    targets = [new.classes[code] for code in new.codes]
    return [View(target, curve=curve) for target, curve in zip(targets, curves, strict=True)], _views(near, prepared)


def _views(rows: Dataset, prepared: Prepared) -> list[View]:
    """Rows as they are."""
    targets = [rows.classes[code] for code in rows.codes]
    if rows.kind == "table":
        frame = rows.raw()
        cells = zip(*([cell_text(value) for value in frame[name]] for name in frame.columns), strict=True)
        return [View(target, cells=row) for target, row in zip(targets, cells, strict=True)]
    if rows.kind == "image":
        pixels = rows.raw()
        scaled = pixels / 255 if pixels.dtype == np.uint8 else pixels
        return [View(target, picture=preview.picture(one)) for target, one in zip(targets, scaled, strict=True)]
    curves = _curves(rows, prepared)
    low, high = min(one.min() for one in curves), max(one.max() for one in curves)
    return [View(target, curve=preview.curve(one, low, high)) for target, one in zip(targets, curves, strict=True)]


def _curves(rows: Dataset, prepared: Prepared) -> list[np.ndarray]:
    """Each series ``(channels, its length)``, standardized, without gaps."""
    inputs = prepared.inputs(rows)
    lengths = inputs["lengths"].tolist()
    return [values[:, :length] for values, length in zip(inputs["values"].numpy(), lengths, strict=True)]


def of_run(outcome: Outcome, device: str) -> dict[str, Callable[[Path], None]]:
    """File name -> writes the page of a run's new rows; empty where its model learned from none.

    The generator learns once more, from all training rows: those of the parts are not kept.
    """
    used = (one for _, one in ensemble.members(outcome.recipe) if getattr(one.synthesis, "classes", None))
    recipe, found = next(used, None), outcome.result.synthesis
    if recipe is None or found is None or not found.used:
        return {}
    chosen = recipe

    def write(path: Path) -> None:
        page_file.write(path, page_of(_rows_of_run(chosen, outcome.splits.train, found, device), ""))

    return {page_file.PAGE: write}


def with_page(outcome: Outcome, beside: Mapping[str, object]) -> Outcome:
    """The outcome whose report names the page, if it is among the files beside it."""
    found = outcome.result.synthesis
    if found is None or page_file.PAGE not in beside:
        return outcome
    synthesis = found.model_copy(update={"page": True})
    return replace(outcome, result=outcome.result.model_copy(update={"synthesis": synthesis}))


def _rows_of_run(recipe: Recipe, train: Dataset, found: SyntheticRows, device: str) -> NewRows:
    """Some new rows of the rarest class that the recipe fills."""
    method: Any = recipe.synthesis
    counts = np.bincount(train.codes, minlength=train.n_classes)
    code = min((train.classes.index(label) for label in method.classes), key=lambda one: counts[one])
    draw = rng.stream(recipe.seed, "synthesis", "page")
    made = method.fit(counted(train), Compute(choose_device(device)), draw).sample(code, MOST_SHOWN, draw)
    label, verdicts = train.classes[code], []
    for verdict in found.verdicts:
        own = tuple(one for one in verdict.classes if one.label == label)
        if verdict.method == method.name and own:
            verdicts.append(verdict.model_copy(update={"classes": own}))
    return NewRows(train, made, recipe, str(method.name), tuple(verdicts), neighbors_of(train, made), ())

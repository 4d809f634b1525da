"""`next`: labeled rows and a pool of unlabeled ones in; a list and a page of the rows to label next, and how many more
rows of which class would help, out."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rarebird.core.checks import DataError
from rarebird.core.clock import Clock, end_of_share
from rarebird.core.compute import Compute
from rarebird.core.progress import Progress, part_of, silent
from rarebird.data import prepare
from rarebird.data.dataset import Dataset, Splits
from rarebird.data.plain_features import plain_features
from rarebird.diagnostics.next_rows.acquisition import Pool, Scored, chosen, scored
from rarebird.diagnostics.next_rows.learning_curve import ClassCurve, class_curves, train_curve
from rarebird.diagnostics.row_views import originals
from rarebird.experiment.run import finish
from rarebird.experiment.setup import Setup, prepare_run
from rarebird.model.model import Model
from rarebird.profile import duplicates
from rarebird.recipe.recipe import Recipe
from rarebird.report.language.chosen import told
from rarebird.report.left_out import why_left_out
from rarebird.report.pages import next_rows as page_file
from rarebird.report.pages.next_rows import Page, ShownRow
from rarebird.runs import unlabeled as unlabeled_rows
from rarebird.runs.output_folder import OutputFolder
from rarebird.runs.request import Request, read_recipe_and_data
from rarebird.runs.row_tables import safe
from rarebird.training.cross_fit import CrossFit, cross_fit_all
from rarebird.training.device import threads
from rarebird.training.timing import usable_threads

ROWS, PAGE = "next_rows.csv", "next_rows.html"
FILES = (ROWS, PAGE)
# The most rows that the page shows.
MOST_SHOWN = 120
# Share of the time in which the rows are predicted by networks of all labeled rows; the learning curve has the rest.
ALL_ROWS_SHARE = 0.5
# From this probability of classes of few rows on, a row is said to be perhaps of one.
LEAST_RARE = 0.8


@dataclass(frozen=True)
class Suggestion:
    """What to label next.

    Attributes:
        name: Of the labeled data.
        pool: The chosen rows, in order, with the model's guess as their label.
        table: One dictionary per chosen row, as the file has it.
        curves: The learning curve of each class.
        n_pool: Rows of the pool.
        n_known: Of these, copies of labeled rows.
        notes: Sentences for the user.
        model: That predicted the pool.
    """

    name: str
    pool: Dataset
    table: list[dict[str, Any]]
    curves: list[ClassCurve]
    n_pool: int
    n_known: int
    notes: tuple[str, ...]
    model: Model

    def for_machines(self) -> dict[str, Any]:
        """The object that ``next --json`` prints."""
        return {
            "n_pool": self.n_pool,
            "n_known": self.n_known,
            "rows": self.table,
            "curves": [
                {
                    "class": one.label,
                    "rows": one.rows,
                    "values": one.values,
                    "needed": None if one.needed is None else [_finite(value) for value in one.needed.as_tuple()],
                    "sentence": one.sentence(),
                }
                for one in self.curves
            ],
            "notes": self.notes,
        }

    def to_text(self) -> str:
        """The first rows and the sentences, for the terminal."""
        first = [f"  {row['rank']:>3}  {row['id']}  {told(row['why'])}" for row in self.table[:10]]
        more = [f"  ... and {len(self.table) - 10} more"] if len(self.table) > 10 else []
        head = f"Rows to label next: {len(self.table)} of {self.n_pool:,}."
        curves = dict.fromkeys(one.sentence() for one in self.curves)
        return "\n".join([head, *first, *more, *curves, *self._notes()])

    def _notes(self) -> list[str]:
        return [f"Note: {note}" for note in self.notes]


def suggest(request: Request, unlabeled: Path, n: int, clock: Clock, progress: Progress = silent) -> Suggestion:
    """Choose the rows of a pool to label next; nothing is written.

    Args:
        request: The labeled data, the recipe and its settings; test rows are left out.
        unlabeled: Path of the pool, read as the labeled rows are; labels in it are ignored.
        n: How many rows.
        clock: The budget.
        progress: Told of the share done; True from it ends the training early.

    Raises:
        DataError: The data, the pool or the recipe cannot be used.
    """
    progress(0.0, "reading the data")
    recipe, data = read_recipe_and_data(request, clock)
    prepared, _ = prepare.fit(data.train, recipe.seed)
    read = unlabeled_rows.read(unlabeled, data.train, request.read)
    prepared.inputs(read.train.take(np.arange(min(len(read.train), 1))))  # a column that is missing is said at once
    with threads(usable_threads(clock, request.threads)):
        found = suggest_rows(recipe, data, read.train, n, clock=clock, device=request.device, progress=progress)
    return replace(found, notes=(*read.notes, *found.notes))


def suggest_rows(
    recipe: Recipe,
    data: Splits,
    pool: Dataset,
    n: int,
    *,
    clock: Clock | None = None,
    device: str = "auto",
    progress: Progress = silent,
) -> Suggestion:
    """Choose the rows of a pool to label next.

    Args:
        recipe: What is trained on the labeled rows.
        data: Labeled rows.
        pool: Unlabeled rows.
        n: How many to choose.
        clock: The budget, for a recipe that leaves its steps open.
        device: A torch device, or ``auto``.
        progress: Told of the share done; True from it ends the training early.

    Raises:
        DataError: The pool holds no row to choose, or the recipe cannot be used.
    """
    if not len(pool):
        raise DataError(f"{pool.name} holds no row to choose from; give more with --unlabeled.")
    clock = clock if clock is not None and recipe.steps is None else Clock()
    setup = prepare_run(recipe, Splits(data.train, data.val, notes=data.notes), device=device, test_share=0)
    recipe, parts = setup.settled(recipe), setup.parts(recipe.seed)
    end = clock.training_deadline()
    half = end if end is None else time.monotonic() + ALL_ROWS_SHARE * (end - time.monotonic())
    full = cross_fit_all(recipe, setup.splits, parts, Compute(setup.device, half, part_of(progress, 0.0, 0.5)))
    model = finish(full.recipe, setup, [full], Clock(), silent, timings={}).model
    rows = pool_rows(model, setup, pool)
    scores = scored(rows)
    batch = chosen(rows, n, scores)
    curves = _curves(full, setup, end, part_of(progress, 0.5, 0.5))
    few = [f"Only {len(batch)} of {n} rows: all others copy a labeled row or one another."] if len(batch) < n else []
    guesses = model.labels(model.outputs(pool.take(batch)))
    return Suggestion(
        name=setup.splits.train.name,
        pool=replace(pool.take(batch), y=guesses, classes=setup.splits.train.classes, task=setup.splits.train.task),
        table=_table(pool, rows, scores, batch, setup.splits.train),
        curves=curves,
        n_pool=len(pool),
        n_known=int(rows.is_known.sum()),
        notes=(*setup.splits.notes, *few),
        model=model,
    )


def pool_rows(model: Model, setup: Setup, pool: Dataset) -> Pool:
    """What the choice looks at: predictions, plain features and copies of the rows of a pool."""
    train, n = setup.splits.train, len(setup.splits.train)
    pool = replace(pool, y=None, classes=train.classes, task=train.task)
    matches = duplicates.find([train, pool]).groups
    is_known = np.isin(matches[n:], matches[:n])
    if is_known.all():
        raise DataError(f"Every row of {pool.name} copies a labeled row; give other rows with --unlabeled.")
    features, labeled = plain_features((pool, train), model.members[0].prepared)
    predicted = (
        np.column_stack([member.predict(pool, setup.device)[:, 0] for member in model.members])
        if train.task == "regression"
        else model.outputs(pool)
    )
    counts = None if train.task == "regression" else train.weighted_counts
    return Pool(predicted, counts, features, labeled, matches[n:], is_known)


def _curves(full: CrossFit, setup: Setup, end: float | None, progress: Progress) -> list[ClassCurve]:
    """The learning curve in the time that is left; `full` are the networks of all rows."""
    seed = full.recipe.seed
    parts = setup.parts(seed)[: len(full.trained)]
    deadline = end_of_share(end, time.monotonic(), 1)
    points = train_curve(full.recipe, setup, parts, full, Compute(setup.device, deadline, progress))
    return class_curves(points, setup, parts, setup.device, seed)


def _table(pool: Dataset, rows: Pool, scores: Scored, batch: np.ndarray, train: Dataset) -> list[dict[str, Any]]:
    table = []
    for rank, row in enumerate(batch, start=1):
        entry: dict[str, Any] = {"rank": rank, "id": str(pool.ids[row]), "score": float(scores.score[row])}
        if train.task == "regression":
            values = rows.probabilities[row]
            entry |= {"prediction": float(values.mean()), "spread": float(values.std())}
            entry["why"] = f"models differ by {values.std():.3g} around {values.mean():.4g}"
        else:
            first, second = np.argsort(-rows.probabilities[row], kind="stable")[:2]
            labels = [train.classes[code] for code in (first, second)]
            shares = [float(rows.probabilities[row, code]) for code in (first, second)]
            entry |= {"margin": float(scores.margin[row]), "entropy": float(scores.entropy[row])}
            entry |= {"rare": float(scores.rare[row]), "most_probable": labels[0], "probability": shares[0]}
            entry |= {"second": labels[1], "second_probability": shares[1]}
            entry["why"] = f"between {labels[0]!r} ({shares[0]:.2f}) and {labels[1]!r} ({shares[1]:.2f})" + (
                ", perhaps of a rare class" if scores.rare[row] >= LEAST_RARE else ""
            )
        table.append(entry)
    return table


def write(found: Suggestion, out: OutputFolder) -> Suggestion:
    """Write the file of the rows, and then the page; with a note if the page could not be made."""
    import pandas as pd

    with out.replacing() as building:
        safe(pd.DataFrame(found.table)).to_csv(
            building / ROWS, index=False, float_format="%.6g", encoding="utf-8", errors="backslashreplace"
        )
    try:
        with out.replacing() as building:
            page_file.write(building / PAGE, _page(found))
    except Exception as error:
        sentence = f"{PAGE} could not be written{why_left_out(error)}; {ROWS} is complete."
        return replace(found, notes=(*found.notes, sentence))
    return found


def _page(found: Suggestion) -> Page:
    prepared = found.model.members[0].prepared
    first = found.pool.take(np.arange(min(len(found.pool), MOST_SHOWN)))
    views = originals(first, prepared) if len(first) else []
    shown = tuple(
        ShownRow(row["rank"], row["id"], view, row["why"], row["score"])
        for row, view in zip(found.table, views, strict=False)
    )
    columns = () if prepared.table is None else tuple(column.name for column in prepared.table.columns)
    return Page(
        name=found.name,
        kind=found.pool.kind,
        n_pool=found.n_pool,
        n_known=found.n_known,
        n_chosen=len(found.table),
        file=ROWS,
        rows=shown,
        curves=tuple((one.label, one.rows, one.values, one.sentence()) for one in found.curves),
        columns=columns,
        notes=found.notes,
    )


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None

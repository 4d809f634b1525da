"""`label-issues`: a path in, the labels of all training rows checked, a ranked file and a page of doubtful rows out.

The training rows are cross-fitted: each one is predicted by a network that was not trained on it, with calibrations
fitted without it. Nothing is tested, so no test rows are held out; given validation and test rows are left out. Copies
of a row are held out together with it, because a network that was trained on a copy repeats the label, right or wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from rarebird.core.atomic_files import whole_file
from rarebird.core.checks import DataError
from rarebird.core.clock import Clock
from rarebird.core.compute import Compute
from rarebird.core.progress import Progress, silent
from rarebird.data import prepare, split
from rarebird.data.dataset import Dataset, Splits
from rarebird.diagnostics.label_issues import issues
from rarebird.diagnostics.label_issues.issues import LabelIssues
from rarebird.diagnostics.row_views import originals
from rarebird.evaluation.cross_validate import cross_validate
from rarebird.experiment.setup import separate
from rarebird.recipe.ensemble import AnyRecipe
from rarebird.recipe.recipe import Recipe
from rarebird.report.left_out import why_left_out
from rarebird.report.pages import label_issues as page_file
from rarebird.report.pages.label_issues import PAGE, VALUES, Page, ShownClass, ShownIssue
from rarebird.runs.output_folder import OutputFolder
from rarebird.runs.request import Request, read_recipe_and_data
from rarebird.runs.row_tables import safe
from rarebird.training.cross_fit import Parts
from rarebird.training.device import choose_device, threads

ROWS = "label_issues.csv"
FILES = (ROWS, PAGE, VALUES)
# Number of parts where `fit` would use a hold-out.
FOLDS = 5
# The most issues of a class on the page; fewer if many classes have issues, so that the page stays small.
MOST_OF_CLASS, LEAST_OF_CLASS, MOST_IN_ALL = 36, 6, 720
# Rows that tell how the page shows columns.
PREPARED_ROWS = 20_000


@dataclass(frozen=True)
class Review:
    """Rows, and what is doubtful about their labels.

    Attributes:
        train: The rows whose labels were checked.
        found: The doubtful labels.
        probabilities: ``(n, n_classes)`` out of fold, NaN for rows that were never held out.
        recipe: What was trained, with everything laid out.
    """

    train: Dataset
    found: LabelIssues
    probabilities: np.ndarray
    recipe: AnyRecipe

    @cached_property
    def page(self) -> Page:
        """The values of the page."""
        return _page(self)


def review(request: Request, clock: Clock, progress: Progress = silent) -> Review:
    """Check the labels of the requested training rows; nothing is written.

    Args:
        request: The data, the recipe and its settings; the ranking of labels does not depend on the metric.
        clock: The budget.
        progress: Told of the share done; True from it ends the training, and the rows predicted so far are ranked.

    Raises:
        DataError: The data or the recipe cannot be used, or the target holds numbers.
    """
    progress(0.0, "reading the data")
    recipe, data = read_recipe_and_data(request, clock)
    return check_labels(recipe, data, clock=clock, device=request.device, progress=progress)


def check_labels(
    recipe: Recipe,
    data: Splits,
    *,
    clock: Clock | None = None,
    device: str = "auto",
    progress: Progress = silent,
) -> Review:
    """Cross-fit a recipe on all training rows, and find rows whose given label is improbable.

    Args:
        recipe: What to train; its number of folds is used, but not its hold-out.
        data: The labels of its training rows are checked.
        clock: The budget, for a recipe that leaves its steps open; None: the recipe's own steps or epochs.
        device: A torch device, or ``auto``.
        progress: Told of the share done; True from it ends the training early.

    Raises:
        DataError: The rows or the recipe cannot be used, or the target holds numbers.
    """
    issues.check_task(data.train)
    progress(0.0, "looking for copies")
    splits = separate(Splits(data.train, notes=(*data.notes, *_notes_on_rows(data))), recipe, 0)
    train, notes = splits.train, list(splits.notes)
    parts = _parts(train, recipe)
    recipe = recipe.updated(folds=len(parts), holdout=None, relaid=())
    deadline = None if clock is None or recipe.steps is not None else clock.training_deadline()
    with threads(recipe.threads):
        predicted = cross_validate(recipe, train, parts, Compute(choose_device(device), deadline, progress))
    progress(1.0, "ranking")
    probabilities = np.full((len(train), train.n_classes), np.nan)
    probabilities[predicted.rows] = predicted.outputs
    trained = len(np.unique(predicted.part))
    if trained < len(parts):
        notes.append(f"Training was ended early, at {trained} of {len(parts)} networks.")
    found = issues.find(train, probabilities)
    return Review(train, replace(found, notes=(*notes, *found.notes)), probabilities, predicted.recipe)


def _parts(train: Dataset, recipe: Recipe) -> Parts:
    """Parts that together hold out every row: the recipe's number of them, or that of `fit`, or `FOLDS`.

    Raises:
        DataError: The groups leave nothing to train on.
    """
    most = len(train) if train.together is None else len(np.unique(train.together))
    if most < 2:
        raise DataError(
            f"All rows of {train.name} are of one group, so no network can be trained without the rows that it "
            "predicts; give more groups, or leave out --groups."
        )
    train = replace(train, time=None)  # every row is judged, also the earliest ones
    folds = recipe.folds or split.decide(train).folds or FOLDS
    parts = split.parts(train, split.decide(train, folds=min(folds, most)), recipe.seed)
    if not parts:
        raise DataError(
            f"No label of {train.name} can be checked: all rows of each class are in one group, or a class has one row."
        )
    return parts


def _notes_on_rows(data: Splits) -> list[str]:
    """Sentences on given rows that are not used, and on rows in time order."""
    parts = ((data.val, "validation"), (data.test, "test"))
    given = [f"{len(part)} {what}" for part, what in parts if part is not None]
    notes = []
    if given:
        left_out = " and ".join(given)
        notes.append(f"Only the labels of training rows are checked; left out are the given {left_out} rows.")
    if data.train.time is not None:
        notes.append("Each part holds out rows of all times; the order in time is not used.")
    return notes


def write(review: Review, out: OutputFolder) -> Review:
    """Write the file of all rows, and then the page; with a note if the page could not be made."""
    with out.replacing() as building:
        write_rows(review, building / ROWS)
    try:
        with out.replacing() as building:
            write_page(review, building / PAGE)
    except Exception as error:
        sentence = f"{PAGE} could not be written{why_left_out(error)}; {ROWS} is complete."
        return replace(review, found=replace(review.found, notes=(*review.found.notes, sentence)))
    return review


def write_page(review: Review, path: Path) -> None:
    """Write the page."""
    page_file.write(path, review.page)


def write_values(review: Review, shows_rows: bool, path: Path) -> None:
    """Write the page's values, for the report of a run; without the rows where these are not shown."""
    page = review.page
    if not shows_rows:
        page = replace(page, classes=tuple(replace(one, issues=()) for one in page.classes))
    page_file.write_values(path, page)


def write_rows(review: Review, path: Path) -> None:
    """One line per row, the most doubtful first; the numbers of rows that could not be judged are empty."""
    import pandas as pd

    columns = ("id", "given", "suggested", "given_probability", "suggested_probability", "score", "is_issue")
    rows = [{name: getattr(row, name) for name in columns} for row in review.found.rows]
    with whole_file(path) as building:
        # A file name that is not Unicode gives lone surrogates, which UTF-8 refuses.
        safe(pd.DataFrame(rows, columns=list(columns))).to_csv(
            building, index=False, float_format="%.6g", encoding="utf-8", errors="backslashreplace"
        )


def _page(review: Review) -> Page:
    found, train = review.found, review.train
    # The page shows columns as a model reads them, which some thousand rows tell.
    some_rows = train.take(np.arange(0, len(train), max(1, len(train) // PREPARED_ROWS)))
    prepared, left_out = prepare.fit(some_rows, review.recipe.seed)
    by_class = {label: [row for row in found.issues if row.given == label] for label in found.classes}
    n_classes = max(sum(map(bool, by_class.values())), 1)
    most = min(MOST_OF_CLASS, max(LEAST_OF_CLASS, MOST_IN_ALL // n_classes))
    classes = []
    for label, n_rows, wrong in zip(found.classes, found.counts, found.wrong, strict=True):
        first = by_class[label][:most]
        views = originals(train.take(np.array([row.place for row in first])), prepared) if first else []
        shown = tuple(
            ShownIssue(row.id, view, row.suggested, row.given_probability, row.suggested_probability)
            for row, view in zip(first, views, strict=True)
        )
        classes.append(ShownClass(label, int(n_rows), len(by_class[label]), float(wrong), shown))
    columns = () if prepared.table is None else tuple(column.name for column in prepared.table.columns)
    notes = (*found.notes, *left_out)
    return Page(found.name, train.kind, int(found.judged.sum()), ROWS, tuple(classes), columns, notes)

"""What `label-issues` writes: every row in ``label_issues.csv``, the doubtful ones of each class in
``label_issues.html``."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import numpy as np

from rarebird.core.atomic_files import whole_file
from rarebird.core.checks import DataError
from rarebird.data import prepare
from rarebird.diagnostics.label_issues.command import Review
from rarebird.diagnostics.row_views import originals
from rarebird.report.pages import label_issues
from rarebird.report.pages.label_issues import Page, ShownClass, ShownIssue

ROWS, PAGE = "label_issues.csv", "label_issues.html"
# Issues of a class on the page; where many classes have some, fewer, so that the page stays small.
MOST, LEAST, MOST_IN_ALL = 36, 6, 720


def check_folder(folder: Path) -> None:
    """The folder can be written into, or made.

    Raises:
        DataError: It cannot.
    """
    place = folder.resolve()
    standing = next(path for path in (place, *place.parents) if os.path.lexists(path))
    if not standing.is_dir():
        raise DataError(f"{standing} is a file; --out takes a folder.")
    if not os.access(standing, os.W_OK | os.X_OK):
        raise DataError(f"Nothing can be written in {standing}; give another folder with --out.")


def write(review: Review, folder: Path) -> tuple[Path, Path]:
    """Write the file and the page into `folder`, which is made where it is absent; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_rows(review, folder / ROWS)
    label_issues.write(folder / PAGE, _page(review))
    return folder / ROWS, folder / PAGE


def _write_rows(review: Review, path: Path) -> None:
    """One line per row, the most doubtful first; figures of rows that could not be judged are empty."""
    import pandas as pd

    columns = ("id", "given", "suggested", "given_probability", "suggested_probability", "score", "is_issue")
    table = pd.DataFrame(
        [{name: asdict(row)[name] for name in columns} for row in review.found.rows], columns=list(columns)
    )
    with whole_file(path) as building:
        # A file name that is no Unicode gives lone surrogates, which UTF-8 refuses.
        table.to_csv(building, index=False, float_format="%.6g", encoding="utf-8", errors="backslashreplace")


def _page(review: Review) -> Page:
    found, train = review.found, review.train
    prepared, left_out = prepare.fit(train, review.recipe.seed)
    by_class = {label: [row for row in found.issues if row.given == label] for label in found.classes}
    most = min(MOST, max(LEAST, MOST_IN_ALL // max(sum(map(bool, by_class.values())), 1)))
    classes = []
    for label, rows, wrong in zip(found.classes, found.counts, found.wrong, strict=True):
        some = by_class[label][:most]
        views = originals(train.take(np.array([row.place for row in some])), prepared) if some else []
        shown = tuple(
            ShownIssue(row.id, view, row.suggested, row.given_probability, row.suggested_probability)
            for row, view in zip(some, views, strict=True)
        )
        classes.append(ShownClass(label, int(rows), len(by_class[label]), float(wrong), shown))
    columns = () if prepared.table is None else tuple(column.name for column in prepared.table.columns)
    return Page(
        found.name, train.kind, int(found.judged.sum()), ROWS, tuple(classes), columns, (*found.notes, *left_out)
    )

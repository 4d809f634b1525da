"""The page of `rarebird label-issues`: the rows of each class whose label is doubtful, in one HTML file without script
that needs no other file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rarebird.report.pages.page import rendered, write_page
from rarebird.report.pages.preview import View


@dataclass(frozen=True)
class ShownIssue:
    """One row with a doubtful label.

    Attributes:
        name: The user's name of the row.
        view: The row itself; its target is the given label.
        suggested: The label that contradicts it.
        given_probability, suggested_probability: Out-of-fold probabilities of both labels.
    """

    name: str
    view: View
    suggested: str
    given_probability: float
    suggested_probability: float


@dataclass(frozen=True)
class ShownClass:
    """The rows with one label.

    Attributes:
        rows: Number of rows with this label.
        n_issues: Number of issues among them; it exceeds `issues` if there are too many to show.
        wrong: Estimated number of wrong labels.
        issues: The most doubtful rows.
    """

    label: str
    rows: int
    n_issues: int
    wrong: float
    issues: tuple[ShownIssue, ...]


@dataclass(frozen=True)
class Page:
    """Everything on the page.

    Attributes:
        judged: Number of rows that were checked.
        columns: Names of a table's columns.
        file: Name of the file with all rows.
    """

    name: str
    kind: str
    judged: int
    file: str
    classes: tuple[ShownClass, ...]
    columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def write(path: Path, page: Page) -> None:
    """Write the page; a reader of `path` sees the old file or the new one, never a part."""
    write_page(path, rendered("label_issues.html", page=page))

"""The page of `rarebird label-issues`: per class, the rows whose label is doubted; one HTML file without script that
needs nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rarebird.report.pages.page import rendered, write_page
from rarebird.report.pages.preview import View


@dataclass(frozen=True)
class ShownIssue:
    """One doubted row.

    Attributes:
        name: What the user calls the row.
        view: The row itself; its target is the given label.
        suggested: The label that contradicts it.
        given_probability, suggested_probability: Of both, out of fold.
    """

    name: str
    view: View
    suggested: str
    given_probability: float
    suggested_probability: float


@dataclass(frozen=True)
class ShownClass:
    """The rows that bear one label.

    Attributes:
        rows: How many bear it.
        found: How many of them are issues; more than `issues` where these would be too many to show.
        wrong: Estimated number of wrong labels.
        issues: The most doubtful ones.
    """

    label: str
    rows: int
    found: int
    wrong: float
    issues: tuple[ShownIssue, ...]


@dataclass(frozen=True)
class Page:
    """Everything on the page.

    Attributes:
        judged: Rows that were looked through.
        columns: Of a table.
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
    """Write the page; whoever reads `path` meanwhile sees the old file or the new one, never half of one."""
    write_page(path, rendered("label_issues.html", page=page))

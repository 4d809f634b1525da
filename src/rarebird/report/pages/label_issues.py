"""The page of `rarebird label-issues`: the rows of each class whose label is doubtful, in one HTML file without script
that needs no other file. Its values are also kept as JSON, from which the report of a run shows some of them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rarebird.report.pages.page import rendered, write_page
from rarebird.report.pages.preview import View

PAGE, VALUES = "label_issues.html", "label_issues.json"


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


def write_values(path: Path, page: Page) -> None:
    """Write the page's values."""
    text = json.dumps(asdict(page), ensure_ascii=False)
    path.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")


def read(path: Path) -> Page | None:
    """The values of a page; None if there is no such file."""
    if not path.is_file():
        return None
    plain: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    classes = tuple(_class(one) for one in plain.pop("classes"))
    return Page(**(plain | {"classes": classes, "columns": tuple(plain["columns"]), "notes": tuple(plain["notes"])}))


def _class(plain: dict[str, Any]) -> ShownClass:
    """A class from its plain values; a row of it was mixed with no other."""
    issues = tuple(
        ShownIssue(**(one | {"view": View(**(one["view"] | {"sources": ()}))})) for one in plain.pop("issues")
    )
    return ShownClass(**plain, issues=issues)

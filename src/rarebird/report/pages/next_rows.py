"""The page of `rarebird next`: the rows to label next and the learning curves, in one HTML file without script that
needs no other file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rarebird.report.pages.page import rendered, write_page
from rarebird.report.pages.preview import View


@dataclass(frozen=True)
class ShownRow:
    """One row to label.

    Attributes:
        rank: From 1, the most telling first.
        name: The user's name of the row.
        view: The row itself; its target is the model's guess.
        why: Why it was chosen.
        score: Its uncertainty, raised for rare classes.
    """

    rank: int
    name: str
    view: View
    why: str
    score: float


@dataclass(frozen=True)
class Page:
    """Everything on the page.

    Attributes:
        n_pool, n_known, n_chosen: Rows of the pool, of these copies of labeled rows, and chosen rows.
        file: Name of the file with all chosen rows.
        curves: Class, rows and values at each point of its learning curve, and a sentence.
        columns: Names of a table's columns.
    """

    name: str
    kind: str
    n_pool: int
    n_known: int
    n_chosen: int
    file: str
    rows: tuple[ShownRow, ...]
    curves: tuple[tuple[str, tuple[int, ...], tuple[float, ...], str], ...] = ()
    columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def write(path: Path, page: Page) -> None:
    """Write the page; a reader of `path` sees the old file or the new one, never a part."""
    write_page(path, rendered("next_rows.html", page=page))

"""Explanations as pages show them: a page of its own, and the section of a run's report. All values are plain, so that
a run's folder keeps them as JSON, from which the report is made again."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from rarebird.report.pages.page import rendered, write_page

# In a run's folder: the section as plain values, from which the report is made again.
VALUES = "explanation.json"


class Plain(BaseModel):
    """A value that JSON holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Bar(Plain):
    """One column of a table's row, or of all rows, with its amount.

    Attributes:
        name: The column, or the columns of a group.
        value: The row's own value as text.
        text: The amount, with its interval if it has one.
        start, end: Of the bar, in percent of the width.
        low, high: Of the interval, in percent of the width; None without one.
        against: Whether the amount is below 0.
    """

    name: str
    text: str
    start: float
    end: float
    value: str = ""
    low: float | None = None
    high: float | None = None
    against: bool = False


class Shown(Plain):
    """A picture or a curve of one row.

    Attributes:
        title: What it shows: the row itself, or a method.
        picture: A picture as a data address, which is part of the page.
        curve: An `svg` element.
        about: A text in place of the picture.
    """

    title: str
    about: str
    picture: str = ""
    curve: str = ""


class ExplainedRow(Plain):
    """One row with its explanation.

    Attributes:
        name: The user's name of the row.
        why: Why it is shown, such as ``typical``.
        labels: A sentence on its true and its predicted label.
        output: A sentence on the explained output.
        shown: Pictures or curves.
        bars: The columns with the largest amounts, for tables.
        rest: What the other columns add up to; empty where all are shown.
    """

    name: str
    why: str
    labels: str
    output: str
    shown: tuple[Shown, ...] = ()
    bars: tuple[Bar, ...] = ()
    rest: str = ""


class ExplainedClass(Plain):
    """The explained rows of one class; an empty label for regression."""

    label: str
    rows: tuple[ExplainedRow, ...]


class Effect(Plain):
    """How the output depends on one column: an `svg` element."""

    name: str
    svg: str
    about: str


class Explanation(Plain):
    """Everything on the page.

    Attributes:
        name: Of the data.
        kind: ``image``, ``table`` or ``series``.
        output: A sentence on what is explained.
        methods: A sentence on each method.
        importance: Columns, or groups of correlated ones, the most important first.
        measure: What the importance measures.
        effects: Of the most important columns.
        classes: The explained rows of each class.
        checks: Sentences on how far the explanations can be believed.
        notes: Other sentences.
        files: Sentences on the files beside the page.
    """

    name: str
    kind: str
    output: str
    methods: tuple[str, ...]
    importance: tuple[Bar, ...] = ()
    measure: str = ""
    effects: tuple[Effect, ...] = ()
    classes: tuple[ExplainedClass, ...] = ()
    checks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def without_rows(self) -> Explanation:
        """The same without any single row, for pages that leave out rows of patients."""
        return self.model_copy(update={"classes": ()})


def write(path: Path, page: Explanation) -> None:
    """Write the page; a reader of `path` sees the old file or the new one, never a part."""
    write_page(path, rendered("explanation.html", page=page))


def read(path: Path) -> Explanation | None:
    """The explanations that a run's folder keeps; None where there are none that can be read."""
    try:
        return Explanation.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError, ValueError):
        return None

"""How the cells of a table are written, learned from the training file: the memory by which later files are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    import pandas as pd

    from rarebird.data.prepare_table import TableState

ColumnKind = Literal["number", "boolean", "date", "text"]
# Texts of more different values than this are no categories, and none of them counts as unseen.
MOST_CATEGORIES = 2_000


class ColumnFormat(BaseModel):
    """How the cells of one column are written.

    Attributes:
        kind: What the cells are; it never changes after training.
        decimal: The decimal mark of numbers, a point or a comma; empty if no training cell shows it.
        thousands: The mark between thousands; empty if there is none.
        unit: What stands beside each number, such as "%" or "$"; it is not part of the number.
        binary: Whether the numbers are 0 and 1 only, so that yes and no are numbers, too.
        date: The `strptime` format of dates, or "ISO8601"; empty if no training cell shows it.
        missing: Texts that mean a missing value in this column, though in other columns they are text.
        categories: The texts of the training rows, in the order of text; None if they are not known, or too many.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ColumnKind
    decimal: Literal["", ".", ","] = ""
    thousands: str = Field(default="", max_length=1)
    unit: str = Field(default="", max_length=8)
    binary: bool = False
    date: str = Field(default="", max_length=40)
    missing: tuple[str, ...] = ()
    categories: tuple[str, ...] | None = None


class Schema(BaseModel):
    """The columns of the training file, with their formats.

    Attributes:
        columns: Name -> format: of the features, and of the columns of weights, groups and times.
        target: The format of the target; its categories are the classes. None if it is not known.
        encoding: The encoding of the training file; empty for data that are no text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: dict[str, ColumnFormat]
    target: ColumnFormat | None = None
    encoding: str = ""

    def seen_in(self, frame: pd.DataFrame, classes: Sequence[str]) -> Self:
        """The schema with the categories and classes of some rows: those that a model can know.

        Args:
            frame: The features of the training rows.
            classes: Of the target; empty for regression.
        """
        columns = {
            name: form.model_copy(update={"categories": _categories(frame[name])})
            if form.kind == "text" and name in frame
            else form
            for name, form in self.columns.items()
        }
        target = self.target
        if classes:
            target = (target or ColumnFormat(kind="text")).model_copy(update={"categories": tuple(classes)})
        return self.model_copy(update={"columns": columns, "target": target})

    def renamed(self, names: Mapping[str, str]) -> Self:
        """The schema under other names of columns: old -> new."""
        columns = {names.get(name, name): form for name, form in self.columns.items()}
        return self.model_copy(update={"columns": columns})


def of_states(states: Sequence[TableState], classes: Sequence[str]) -> Schema:
    """What models of earlier versions, which keep no schema, tell of the columns: what they are, and their categories,
    but not how they are written.

    Args:
        states: The columns of each network.
        classes: Of the target; empty for regression.
    """
    columns: dict[str, ColumnFormat] = {}
    for column in (column for state in states for column in state.columns):
        known = set(column.categories)
        if before := columns.get(column.name):
            known |= set(before.categories or ())
        truths = bool(known) and known <= {"True", "False"}
        kind: ColumnKind = column.role if column.role != "category" else "boolean" if truths else "text"
        categories = tuple(sorted(known)) if kind == "text" and len(known) < MOST_CATEGORIES else None
        columns[column.name] = ColumnFormat(kind=kind, categories=categories)
    target = ColumnFormat(kind="text", categories=tuple(classes)) if classes else ColumnFormat(kind="number")
    return Schema(columns=columns, target=target)


@dataclass(frozen=True)
class Reading:
    """How the cells of a table were read.

    Attributes:
        schema: The formats by which later files are read.
        lost: Column -> cells that could not be read as what the column holds, and count as missing.
        unseen: Column -> cells with a category that no training row has.
    """

    schema: Schema
    lost: Mapping[str, int] = field(default_factory=dict)
    unseen: Mapping[str, int] = field(default_factory=dict)

    def for_machines(self) -> dict[str, dict[str, int]]:
        """What commands print with ``--json``."""
        return {"lost_cells": dict(self.lost), "unseen_categories": dict(self.unseen)}


def _categories(values: pd.Series) -> tuple[str, ...] | None:
    distinct = values.dropna().unique()
    return tuple(sorted(map(str, distinct))) if len(distinct) <= MOST_CATEGORIES else None

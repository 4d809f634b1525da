"""How the cells of a table are written, learned from the training file: the memory by which later files are read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    import numpy as np

    from rarebird.data.sources import Frame

ColumnKind = Literal["number", "time", "boolean", "date", "text"]
# Texts of more different values than this are no categories, and none of them counts as unseen.
MOST_CATEGORIES = 2_000


class ColumnFormat(BaseModel):
    """How the cells of one column are written.

    Attributes:
        kind: What the cells are; it never changes after training. A time of day, or a duration, is a number of hours.
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

    def seen_in(self, source: Frame, index: np.ndarray, classes: Sequence[str]) -> Self:
        """The schema with the categories and classes of some rows: those that a model can know.

        Args:
            source: The table of the training rows.
            index: ``(n,)`` which of its rows they are.
            classes: Of the target; empty for regression.
        """
        columns = {
            name: form.model_copy(update={"categories": _categories(source.distinct(name, index))})
            if form.kind == "text" and name in source.frame
            else form
            for name, form in self.columns.items()
        }
        target = self.target
        if classes:
            target = (target or ColumnFormat(kind="text")).model_copy(update={"categories": tuple(classes)})
        return self.model_copy(update={"columns": columns, "target": target})

    def without_types(self, names: Collection[str]) -> Self:
        """The schema with text in place of the formats of some columns: those that a model does not use, such as
        identifiers, which may be of another form in later files."""
        columns = {name: ColumnFormat(kind="text") if name in names else form for name, form in self.columns.items()}
        return self.model_copy(update={"columns": columns})


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


def _categories(distinct: np.ndarray) -> tuple[str, ...] | None:
    return tuple(sorted(map(str, distinct))) if len(distinct) <= MOST_CATEGORIES else None

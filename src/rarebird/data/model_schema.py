"""The schema by which a model's rows are read: that of its training rows, or what its networks know of the columns."""

from __future__ import annotations

from collections.abc import Sequence

from rarebird.data.dataset import Dataset
from rarebird.data.prepare_table import TableState
from rarebird.data.schema import MOST_CATEGORIES, ColumnFormat, ColumnKind, Schema


def used_schema(train: Dataset, states: Sequence[TableState | None]) -> Schema | None:
    """The schema of training rows, in which columns that no network uses are text: later files may have other
    identifiers there. None for other kinds than tables.

    Args:
        train: The training rows.
        states: The columns of each network.
    """
    schema = train.known_schema
    unused = [set(state.left_out) for state in states if state is not None]
    return schema.without_types(set.intersection(*unused)) if schema is not None and unused else schema


def schema_of(states: Sequence[TableState], classes: Sequence[str]) -> Schema:
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

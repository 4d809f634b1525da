"""Joins rows of other sources to the training rows of one part: they are learned from, and judge nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rarebird.core import rng
from rarebird.data.concatenation import concat
from rarebird.data.dataset import Dataset, Outside
from rarebird.data.prepare import Prepared
from rarebird.data.row_counts import counted
from rarebird.recipe.recipe import Recipe
from rarebird.slots.external_rows import SourceReport


@dataclass(frozen=True, eq=False)
class Joined:
    """Training rows of one part, and the rows that joined them.

    Attributes:
        own: The part's own training rows.
        rows: These, followed by the rows of other sources that joined.
        reports: What was found about each source; empty if the recipe joins none.
    """

    own: Dataset
    rows: Dataset
    reports: tuple[SourceReport, ...] = ()


def join(recipe: Recipe, own: Dataset, outside: Sequence[Outside], prepared: Prepared, fold: int) -> Joined:
    """The part's rows with those rows of other sources that the recipe's `external` lets join.

    Args:
        recipe: Without `external`, no row joins.
        own: The part's own training rows.
        outside: Rows of other sources.
        prepared: Fitted to `own`.
        fold: The number of the part; it names the random stream.
    """
    method: Any = recipe.external
    if method is None or not outside:
        return Joined(own, own)
    joinings = method.fit(own, outside, prepared, rng.stream(recipe.seed, "external", fold))
    # An own row counts 1 on average, as the weights of the other rows do.
    weighted = counted(own)
    unit = 1.0 if weighted.weight is None else float(weighted.weight.mean())
    parts = [
        _like(own, source.rows.take(joining.weight > 0), unit * joining.weight[joining.weight > 0], place)
        for place, (source, joining) in enumerate(zip(outside, joinings, strict=True))
        if (joining.weight > 0).any()
    ]
    reports = tuple(joining.report for joining in joinings)
    return Joined(own, concat([weighted, *parts]) if parts else own, reports)


def _like(own: Dataset, rows: Dataset, weight: np.ndarray, place: int) -> Dataset:
    """The rows with the fields that the own rows have; each is a group of its own."""
    assert own.y is not None
    assert rows.y is not None
    y = rows.y
    if own.task == "classification" and own.y.ndim != y.ndim:
        y = np.eye(own.n_classes)[rows.codes] if own.y.ndim == 2 else rows.codes
    names = np.array([f"outside {place} {row}" for row in range(len(rows))])
    largest = 0 if own.copies is None else int(own.copies.max()) + 1
    return replace(
        rows,
        y=y,
        weight=weight,
        group=None if own.group is None else names,
        copies=None if own.copies is None else largest + 10**9 * (place + 1) + np.arange(len(rows)),
        time=None,
        gap=None,
    )

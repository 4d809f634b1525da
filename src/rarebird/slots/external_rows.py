"""The protocol of the slot `external`, and what its methods give: the weights of rows of other sources, and what was
found about each source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from pydantic import BaseModel, ConfigDict

from rarebird.data.dataset import Dataset, Outside
from rarebird.data.prepare import Prepared


class ColumnShift(BaseModel):
    """How the values of one column differ from those of the training rows.

    Attributes:
        name: The column; ``brightness``, ``level`` or ``spread`` of pictures and series; the target of a regression.
        distance: Kolmogorov-Smirnov distance of numbers, or total variation of categories: 0 is equal, 1 is apart.
        p_value: Of the two-sample test, corrected over the columns.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    distance: float
    p_value: float


class SourceClass(BaseModel):
    """One class's rows of a source.

    Attributes:
        label: The class; empty for all rows of a regression.
        own: Own training rows of the class.
        given: Rows of the source.
        joined: Rows with a weight above 0.
        weight: Their total weight, in own rows.
        agreement: How well their labels agree with those that own rows teach: 1 as well as own labels do, or not
            surely less; 0 no better than chance; None where that cannot be told.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str
    own: int
    given: int
    joined: int = 0
    weight: float = 0.0
    agreement: float | None = None


class SourceReport(BaseModel):
    """What was found about one source, from the training rows of one part.

    Attributes:
        name: Of the source.
        given: Its labelled rows.
        judged_copies: Rows that were left out because they copy a test or validation row.
        own_copies: Rows that were left out because they copy another own row.
        joined: Rows with a weight above 0.
        weight: Their total weight, in own rows.
        auc: How well a classifier tells the source's rows from own rows, with all classes at their own frequencies: 0.5
            is not at all, 1 always.
        agreement: Of all labels, as in `SourceClass`.
        columns: The columns that differ significantly, the most different first.
        classes: One entry per class.
        findings: Sentences for the user.
        refused: Why no row joined; empty if rows joined.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    given: int
    judged_copies: int = 0
    own_copies: int = 0
    joined: int = 0
    weight: float = 0.0
    auc: float | None = None
    agreement: float | None = None
    columns: tuple[ColumnShift, ...] = ()
    classes: tuple[SourceClass, ...] = ()
    findings: tuple[str, ...] = ()
    refused: str = ""


@dataclass(frozen=True, eq=False)
class Joining:
    """Which rows of one source join.

    Attributes:
        weight: ``(n,)`` of each row of the source, in own rows; 0: it does not join.
        report: What was found.
    """

    weight: np.ndarray
    report: SourceReport


@runtime_checkable
class External(Protocol):
    """Which rows of other sources join the training rows of one part, and with which weights: one `Joining` per source.

    It sees the part's own training rows alone; `prepared` was fitted to these. A source that does not fit is refused by
    a sentence in its report, not by an error.
    """

    def fit(
        self, train: Dataset, outside: Sequence[Outside], prepared: Prepared, rng: np.random.Generator
    ) -> list[Joining]: ...

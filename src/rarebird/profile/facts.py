"""The profile of a data set as one value that JSON can hold."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from rarebird.profile.applicable import Applicable
from rarebird.profile.duplicates import Conflicts, Duplicates
from rarebird.profile.leaks import Leak

EFFECTIVE_BETA = 0.999


class ClassRow(BaseModel):
    """One class of the training rows.

    Attributes:
        share: Share of all rows, a row of weight k counting for k.
        effective: Effective number of rows, ``(1 - beta**n) / (1 - beta)`` with beta = .999 (Cui et al.,
            *Class-Balanced Loss Based on Effective Number of Samples*, CVPR 2019): a class's thousandth row adds less
            than its first; a row of weight k counts for k.
        counted: How many rows the class's rows count for by their weights, None where the data have none.
        test: Rows among the test rows, None where none were given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str
    count: int
    share: float
    effective: float
    test: int | None = None
    counted: float | None = None

    @property
    def size(self) -> float:
        """How many rows the class's rows count for."""
        return self.count if self.counted is None else self.counted


class Groups(BaseModel):
    """Groups (patients, tracks, sites) that the split must keep together.

    Attributes:
        count: Number of groups among the training rows.
        largest: Rows of the largest group.
        shared: ``val`` and ``test`` -> how many of their rows belong to a group of training rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int
    largest: int
    shared: dict[str, int] = {}


class Profile(BaseModel):
    """The result of `profile`.

    Attributes:
        classes: Training rows of each class; empty for regression.
        imbalance_ratio: Rows of the largest class over those of the smallest, a row of weight k counting for k; None
            for regression.
        effective_rows: Sum of the classes' effective numbers of rows, None for regression.
        missing_share: Share of missing cells (tables, and series within their own length).
        missing_by_column: Columns with missing cells -> share, the largest first.
        constant_columns: Columns with a single value.
        identifier_columns: Columns that identify rows -> reason.
        duplicates: Training rows that are copies of an earlier training row.
        across: ``val`` and ``test`` -> which of their rows are copies of training rows.
        conflicts: Equal training rows with different targets.
        leaks: Columns that alone predict the target almost perfectly.
        groups: Groups of the training rows, None where none were given.
        shape: Sizes and column types.
        target_summary: Quantiles, mean, deviation and skewness of a regression target.
        ailments: Problems of the data, in sentences, worst first.
        applicable: Methods worth trying.
        notes: What was sampled or not searched.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    kind: str
    task: str
    target: str
    n: int
    n_val: int | None = None
    n_test: int | None = None
    classes: tuple[ClassRow, ...] = ()
    imbalance_ratio: float | None = None
    effective_rows: float | None = None
    effective_beta: float = EFFECTIVE_BETA
    missing_share: float = 0.0
    missing_by_column: dict[str, float] = {}
    constant_columns: tuple[str, ...] = ()
    identifier_columns: dict[str, str] = {}
    duplicates: Duplicates = Duplicates()
    across: dict[str, Duplicates] = {}
    conflicts: Conflicts = Conflicts()
    leaks: tuple[Leak, ...] = ()
    groups: Groups | None = None
    shape: dict[str, float] = {}
    target_summary: dict[str, float] | None = None
    ailments: tuple[str, ...] = ()
    applicable: tuple[Applicable, ...] = ()
    notes: tuple[str, ...] = ()

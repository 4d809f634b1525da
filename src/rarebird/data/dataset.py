"""Raw, typed rows: a source (`rarebird.data.sources`), the choice of its rows, and their labels, weights and groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rarebird.core.checks import DataError, require, some
from rarebird.data.sources import Curves as Curves
from rarebird.data.sources import Frame as Frame
from rarebird.data.sources import Pixels as Pixels
from rarebird.data.sources import Source as Source

if TYPE_CHECKING:
    from rarebird.data.schema import Reading, Schema

Kind = Literal["image", "table", "series"]
Task = Literal["classification", "regression"]


PER_ROW = ("y", "ids", "weight", "group", "copies", "time", "synthetic")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows of one kind for one task; `take` copies no picture.

    Attributes:
        kind: ``image``, ``table`` or ``series``.
        task: ``classification`` or ``regression``.
        source: Holds the raw rows.
        index: ``(n,)`` int, the positions of these rows in the source.
        y: ``(n,)`` int64 codes into `classes`; ``(n, n_classes)`` float soft targets; ``(n,)`` float64 for regression;
            None without labels.
        classes: The class labels as text, in a natural order; empty for regression.
        weight: ``(n,)`` float64 sample weights, or None for all ones.
        group: ``(n,)`` group labels that the user gave (patient, track, site), or None.
        copies: ``(n,)`` int, equal for rows that are copies of each other, or None: splits keep them together, as they
            do groups, but rows that differ count as independent.
        time: ``(n,)`` sortable, or None.
        synthetic: ``(n,)`` bool, the rows that a generator made; None: none. They are learned from, and judge nothing.
        gap: With a time: how much earlier than the first held-out row a row must be to be trained on, in the unit of
            `time` (a timedelta for dates); None for any earlier row.
        ids: ``(n,)`` text, the user's name of each row (file name, row number).
        name: The name of the data set in reports.
        target: The name of the target.
        reading: How the cells of a table were read, and how those of later tables are; None for other kinds.
    """

    kind: Kind
    task: Task
    source: Source
    index: np.ndarray
    y: np.ndarray | None
    classes: tuple[str, ...]
    ids: np.ndarray
    weight: np.ndarray | None = None
    group: np.ndarray | None = None
    copies: np.ndarray | None = None
    time: np.ndarray | None = None
    synthetic: np.ndarray | None = None
    gap: float | np.timedelta64 | None = None
    name: str = "data"
    target: str = "target"
    reading: Reading | None = None

    def __post_init__(self) -> None:
        n = len(self.index)
        for part in PER_ROW:
            value = getattr(self, part)
            require(
                value is None or len(value) == n,
                f"one {part} per row",
                n=n,
                given=None if value is None else len(value),
            )

    def __repr__(self) -> str:
        classes = f" of {len(self.classes)} classes" if self.classes else ""
        return f"<Dataset {self.name!r}: {len(self):,} rows of kind {self.kind!r} for {self.task}{classes}>"

    def __len__(self) -> int:
        return len(self.index)

    def take(self, rows: np.ndarray) -> Dataset:
        """The rows at the positions (or under the mask) `rows`, sharing the source."""
        part: dict[str, Any] = {
            name: value if (value := getattr(self, name)) is None else value[rows] for name in PER_ROW
        }
        return replace(self, index=self.index[rows], **part)

    def raw(self) -> Any:
        """The raw rows themselves: a frame, a pixel array, or (values, lengths)."""
        return self.source.rows(self.index)

    @property
    def together(self) -> np.ndarray | None:
        """``(n,)`` labels, equal for rows that no split may separate: those of one group, and copies of each other,
        also through other rows; None where each row is on its own."""
        if self.group is None or self.copies is None:
            return self.copies if self.group is None else self.group
        parts = [np.unique(labels, return_inverse=True)[1] for labels in (self.group, self.copies)]
        joined, before = parts[0], np.full(len(self), -1)
        while not np.array_equal(joined, before):
            before = joined
            for part in parts:
                first = np.full(len(self), len(self))
                np.minimum.at(first, part, joined)
                joined = first[part]
        return joined

    @property
    def n_classes(self) -> int:
        """Number of classes; 0 for regression."""
        return len(self.classes)

    @property
    def codes(self) -> np.ndarray:
        """``(n,)`` class codes; soft targets give their most probable class."""
        require(self.y is not None and self.task == "classification", "labelled rows of classes", task=self.task)
        assert self.y is not None
        return self.y if self.y.ndim == 1 else self.y.argmax(axis=1)

    @property
    def class_counts(self) -> np.ndarray | None:
        """``(n_classes,)`` rows of each class, or None for regression."""
        return None if self.task == "regression" else np.bincount(self.codes, minlength=self.n_classes)

    @property
    def weights(self) -> np.ndarray:
        """``(n,)`` sample weights, ones where none were given."""
        return np.ones(len(self)) if self.weight is None else self.weight

    @property
    def weighted_counts(self) -> np.ndarray:
        """``(n_classes,)`` total weight of the rows of each class; a row with soft targets counts for each of its
        classes in proportion."""
        require(self.y is not None and self.task == "classification", "labelled rows of classes", task=self.task)
        assert self.y is not None
        if self.y.ndim == 2:
            return np.asarray(self.weights @ self.y)
        return np.bincount(self.y, weights=self.weights, minlength=self.n_classes)

    @property
    def prior(self) -> np.ndarray:
        """``(n_classes,)`` the natural prior: the share of the total weight that each class has; empty for
        regression."""
        if self.task == "regression":
            return np.zeros(0)
        share: np.ndarray = self.weighted_counts / self.weighted_counts.sum()
        return share

    @property
    def known_schema(self) -> Schema | None:
        """The schema by which rows that a model of these rows predicts are read: with their categories and classes;
        None for other kinds than tables."""
        if self.reading is None or not isinstance(self.source, Frame):
            return None
        return self.reading.schema.seen_in(self.source, self.index, self.classes)

    def aligned(self, classes: Sequence[str]) -> Dataset:
        """The same rows with codes into `classes`; soft targets get their columns in that order.

        Raises:
            DataError: A row is of a class that is not among `classes`.
        """
        if self.task == "regression" or self.y is None:
            return replace(self, classes=tuple(classes))
        place = {label: code for code, label in enumerate(classes)}
        counts = self.y.sum(axis=0) if self.y.ndim == 2 else np.bincount(self.y, minlength=self.n_classes)
        unseen = [label for label, count in zip(self.classes, counts, strict=True) if count > 0 and label not in place]
        if unseen:
            raise DataError(
                f"{self.name} has rows of class {some(map(repr, unseen))}, which no training row has; "
                "remove those rows or add some to training."
            )
        lookup = np.array([place.get(label, -1) for label in self.classes], dtype=np.int64)
        if self.y.ndim == 1:
            return replace(self, y=lookup[self.y], classes=tuple(classes))
        soft = np.zeros((len(self), len(classes)))
        soft[:, lookup[lookup >= 0]] = self.y[:, lookup >= 0]
        return replace(self, y=soft, classes=tuple(classes))


@dataclass(frozen=True)
class UnreadRow:
    """A row that could not be read, so that no part holds it; a prediction lists it without a label.

    Attributes:
        part: ``train``, ``val`` or ``test``.
        place: Its position among all rows of the part, those that were read and those that were not.
        id: The user's name of the row.
        reason: Why it could not be read, in a few words.
    """

    part: str
    place: int
    id: str
    reason: str


@dataclass(frozen=True, eq=False)
class Outside:
    """Rows of another source; they may join the training rows, and judge nothing.

    Attributes:
        rows: With the kind, task, classes and columns of the training rows.
        n_given: The source's labelled rows, before copies of own rows were left out.
        judged_copies, own_copies: Rows that were left out because they copy a test or validation row, or another one.
        absent: Columns that the source lacks; they are empty in `rows`.
        fingerprint: Of the rows, before copies were left out.
        findings: Sentences on what does not fit the training rows.
    """

    rows: Dataset
    n_given: int
    judged_copies: int = 0
    own_copies: int = 0
    absent: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    fingerprint: str = ""


@dataclass(frozen=True, eq=False)
class Unlabeled:
    """A pool of rows without labels, from which a network's body may learn before its training; they judge nothing.

    Attributes:
        rows: With the kind and columns of the training rows, without labels.
        n_given: All its rows, before copies of own rows were left out.
        judged_copies, own_copies: Rows that were left out because they copy a test or validation row, or another one.
        absent: Columns that the pool lacks; they are empty in `rows`.
        fingerprint: Of the rows, before copies were left out.
    """

    rows: Dataset
    n_given: int
    judged_copies: int = 0
    own_copies: int = 0
    absent: tuple[str, ...] = ()
    fingerprint: str = ""


@dataclass(frozen=True)
class Splits:
    """What a reader returns: the rows of one data set and, where the data came split, its validation and test rows.

    Attributes:
        notes: Sentences on what was left out or read otherwise than expected.
        unread: Rows that could not be read.
        outside: Rows of other sources.
        unlabeled: Rows without labels; None: none are given.
    """

    train: Dataset
    val: Dataset | None = None
    test: Dataset | None = None
    notes: tuple[str, ...] = field(default=())
    unread: tuple[UnreadRow, ...] = field(default=())
    outside: tuple[Outside, ...] = field(default=())
    unlabeled: Unlabeled | None = None

    @property
    def judged_part(self) -> str:
        """Which part a saved model is asked about: ``test`` if there is one, otherwise ``val``, otherwise ``train``."""
        return "test" if self.test is not None else "val" if self.val is not None else "train"


def natural_order(labels: Sequence[str]) -> list[str]:
    """Distinct labels sorted as people sort them: by value if all are numbers, otherwise as text."""
    distinct = sorted(set(labels))
    try:
        return sorted(distinct, key=float)
    except ValueError:
        return distinct

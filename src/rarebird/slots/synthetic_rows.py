"""The protocol of the slot `synthesis`: a generator learns from the training rows of one part, and then draws new raw
rows of a class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from rarebird.core.checks import DataError
from rarebird.core.compute import Compute
from rarebird.data.dataset import Dataset, Source
from rarebird.slots.methods import Method


@runtime_checkable
class Sampler(Protocol):
    """What a generator learned: a value that JSON and arrays can hold, and from which raw rows are drawn."""

    def rows(self, code: int, n: int, draw: np.random.Generator) -> Source:
        """`n` raw rows of the class with this code, of the types and shapes of the training source."""
        ...

    def state(self) -> dict[str, Any]:
        """Plain values for JSON."""
        ...

    def arrays(self) -> dict[str, np.ndarray]:
        """Arrays for safetensors."""
        ...


@dataclass(frozen=True, eq=False)
class Generated:
    """A fitted generator.

    Attributes:
        name: Of the method.
        like: Training rows, whose kind, classes and fields new rows share.
        sampler: What was learned.
        counts: ``(n_classes,)`` training rows of each class.
        least_rows: Training rows that a class needs.
    """

    name: str
    like: Dataset
    sampler: Sampler
    counts: np.ndarray
    least_rows: int = 1

    @property
    def able(self) -> np.ndarray:
        """``(n_classes,)`` bool, the classes of which rows can be drawn."""
        able: np.ndarray = self.counts >= max(self.least_rows, 1)
        return able

    def sample(self, code: int, n: int, draw: np.random.Generator) -> Dataset:
        """`n` new raw rows of a class, marked as synthetic; each is a group of its own.

        Raises:
            DataError: The class has too few training rows.
        """
        if not self.able[code]:
            raise DataError(
                f"Class {self.like.classes[code]!r} has {self.counts[code]} training rows, but {self.name} needs "
                f"{max(self.least_rows, 1)} of a class; choose another method, or give more rows."
            )
        return made_rows(self.like, self.sampler.rows(code, n, draw), code)


def made_rows(like: Dataset, source: Source, code: int) -> Dataset:
    """All rows of a source as synthetic rows of a class, with the fields that the rows `like` have.

    Args:
        like: Real rows.
        source: New raw rows.
        code: Of their class.
    """
    n = len(source)
    names = np.array([f"synthetic {like.classes[code]} {row}" for row in range(n)], dtype=object)
    assert like.y is not None
    y = np.full(n, code, like.y.dtype) if like.y.ndim == 1 else np.eye(like.n_classes)[np.full(n, code)]
    largest = 0 if like.copies is None else int(like.copies.max(initial=0)) + 1
    return replace(
        like,
        source=source,
        index=np.arange(n),
        y=y,
        ids=names,
        weight=None,
        group=None if like.group is None else names,
        # Numbers of one class never meet those of another.
        copies=None if like.copies is None else largest + 10**9 * (code + 1) + np.arange(n),
        time=None,
        gap=None,
        synthetic=np.ones(n, bool),
    )


@runtime_checkable
class Synthesis(Protocol):
    """Settings of a generator.

    Attributes:
        ratio: Rows that each class has at least after it, as a share of the largest class's.
        weight: Of a new row, relative to the mean weight of the real rows of its class.
        classes: The classes that get rows; None: all.
        least_rows: Training rows that a class needs.
    """

    ratio: float
    weight: float
    classes: tuple[str, ...] | None
    least_rows: ClassVar[int]

    def planned(self, train: Dataset, compute: Compute, seconds: float) -> Method:
        """The settings with as many steps as are learned within a time, by a short measurement."""
        ...

    def fit(self, train: Dataset, compute: Compute, draw: np.random.Generator) -> Generated:
        """Learn from these rows, whose weights are numbers of rows; the same rows and draws give the same generator.

        True from the progress of `compute` ends the learning early; its deadline is not read, so that a replay repeats
        the training.

        Raises:
            DataError: The rows have no classes, or it cannot learn from them.
        """
        ...

    def restored(self, like: Dataset, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Generated:
        """The generator from what its sampler gave for JSON and arrays, with rows `like` those that it learned from.

        Raises:
            DataError: They are not those of such a generator.
        """
        ...

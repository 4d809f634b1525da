"""The SMOTE family: rare classes get new rows, each between a row of the class and one of its neighbors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

import numpy as np
from pydantic import Field

from rarebird.data.dataset import Dataset
from rarebird.data.row_counts import missing_rows
from rarebird.methods.resampling._mixed_rows import MixedRows, drawn_pairs, mixed_rows, with_rows_between
from rarebird.methods.resampling._selection import class_codes
from rarebird.slots.methods import Method
from rarebird.slots.protocols import Sampling
from rarebird.slots.ranges import Float, Int


@dataclass(frozen=True, eq=False)
class ClassToFill:
    """One class that gets new rows.

    Attributes:
        rows: All training rows.
        codes: ``(n,)`` class codes of all rows.
        own: Positions of the rows of the class.
        n_new: How many new rows it gets.
    """

    rows: MixedRows
    codes: np.ndarray
    own: np.ndarray
    n_new: int


# ``(s,)`` positions of the rows where new rows may start, ``(s, k)`` positions of the neighbors of each, and
# ``(n_new,)`` the place in the first array where each new row starts.
Starts = tuple[np.ndarray, np.ndarray, np.ndarray]


class Filling(Method):
    """Settings that the family shares; a subclass says in `starts` where new rows start.

    Attributes:
        ratio: Rows that each class has at least, as a share of the largest class's.
        neighbors: Nearest rows of the class, one of which is drawn.
        standardize: Whether distances are of numbers divided by their standard deviation.
    """

    sampling: ClassVar[Sampling] = "over-sampling"
    makes_rows: ClassVar[bool] = True

    ratio: Annotated[float, Float(0.1, 1.0, log=True)] = Field(default=1.0, ge=0, le=1)
    neighbors: Annotated[int, Int(1, 10)] = Field(default=5, ge=1, le=100)
    if TYPE_CHECKING:
        # Each subclass declares it as its last setting; searches draw settings in this order.
        standardize: bool = True

    @classmethod
    def neutral(cls) -> Self:
        """The settings that change nothing."""
        return cls(ratio=0)

    def __call__(self, train: Dataset, rng: np.random.Generator) -> Dataset:
        """All rows in their order, and the new ones after them.

        Raises:
            DataError: The task is no classification.
        """
        codes = class_codes(train, self.name)
        return self.resampled(train, missing_rows(codes, train.weights, self.ratio), rng)

    def resampled(self, train: Dataset, wanted: np.ndarray, rng: np.random.Generator) -> Dataset:
        """All rows in their order, and `wanted` ``(n_classes,)`` new ones of each class after them."""
        codes = class_codes(train, self.name)
        if not wanted.any():
            return train
        rows, pairs = mixed_rows(train, self.standardize), []
        for code in np.flatnonzero(wanted):
            to_fill = ClassToFill(rows, codes, np.flatnonzero(codes == code), int(wanted[code]))
            starts, neighbors, chosen = self.starts(to_fill, rng)
            pairs.append(drawn_pairs(rows, starts, neighbors, chosen, rng))
        return with_rows_between(rows, pairs)

    def starts(self, to_fill: ClassToFill, rng: np.random.Generator) -> Starts:
        """Where the new rows of a class start, and towards which neighbors each of them may go."""
        raise NotImplementedError

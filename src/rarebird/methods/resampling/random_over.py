"""Repeat random rows of rare classes until every class has a given number of rows.

Japkowicz and Stephen, "The class imbalance problem: a systematic study" (Intelligent Data Analysis 2002). A class grows
to ``ratio`` times the rows of the largest class: its rows are repeated equally often, and some random ones once more.

*Helps when* augmentation changes each copy (pictures, series), or a weighted loss makes gradients too noisy.
*Does not help when* a network with many weights memorizes the few repeated rows; over many epochs it has the effect of
class weights, but longer epochs.
*Cost:* longer epochs; no picture is copied.

NOTE[DIFF]: rows are repeated evenly instead of being drawn independently, so that no row is missed by chance. A class
of one row is repeated, too.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import Field

from rarebird.data.dataset import Dataset
from rarebird.data.row_counts import missing_rows
from rarebird.methods.resampling._selection import class_codes
from rarebird.slots.methods import Method
from rarebird.slots.protocols import Sampling
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")


class RandomOver(Method):
    """Settings.

    Attributes:
        ratio: Rows that each class has at least, as a share of the largest class's.
    """

    sampling: ClassVar[Sampling] = "over-sampling"
    makes_rows: ClassVar[bool] = False

    ratio: Annotated[float, Float(0.1, 1.0, log=True)] = Field(default=1.0, ge=0, le=1)

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; half-way."""
        return [cls(), cls(ratio=0.5)]

    @classmethod
    def neutral(cls) -> Self:
        """The settings that change nothing."""
        return cls(ratio=0)

    def __call__(self, train: Dataset, rng: np.random.Generator) -> Dataset:
        """All rows in their order, and the repeated ones after them."""
        codes = class_codes(train, "random_over")
        return self.resampled(train, missing_rows(codes, train.weights, self.ratio), rng)

    def resampled(self, train: Dataset, wanted: np.ndarray, rng: np.random.Generator) -> Dataset:
        """All rows in their order, and `wanted` ``(n_classes,)`` repeated ones of each class after them."""
        codes = class_codes(train, "random_over")
        repeated = [
            np.flatnonzero(codes == code)[drawn_evenly(np.bincount(codes)[code], wanted[code], rng)]
            for code in np.flatnonzero(wanted)
        ]
        return train.take(np.concatenate([np.arange(len(train)), *repeated])) if repeated else train


def drawn_evenly(n: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """``(draws,)`` positions below `n`; no position is drawn more than once more often than another."""
    rounds, rest = divmod(draws, n)
    drawn: np.ndarray = np.concatenate([np.tile(np.arange(n), rounds), rng.permutation(n)[:rest]])
    return drawn

"""Remove random rows of common classes.

Kubat and Matwin, "Addressing the Curse of Imbalanced Training Sets: One-Sided Selection" (ICML 1997) discuss it;
Drummond and Holte, "C4.5, Class Imbalance, and Cost Sensitivity: Why Under-sampling Beats Over-sampling" (ICML
workshops 2003) recommend it. Each class keeps at most ``ratio`` times the rows of the smallest class, drawn without
replacement.

*Helps when* common rows are many and alike, and time is short: epochs become shorter, and rare rows a larger share of
them.
*Does not help when* the smallest class has only a few rows, or the rows of common classes differ much: this network
never sees the rows that are removed. `majority_parts` (batch sampling) uses other rows in every epoch, and so all of
them.
*Cost:* none; it saves time.

NOTE[DIFF]: with `ratio` more than one row may stay for each row of the smallest class.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import Field

from rarebird.data.dataset import Dataset
from rarebird.methods.resampling._selection import class_codes, quotas
from rarebird.slots.methods import Method
from rarebird.slots.protocols import Sampling
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")


class RandomUnder(Method):
    """Settings.

    Attributes:
        ratio: Largest number of rows that a class keeps, as a multiple of the smallest class's.
    """

    sampling: ClassVar[Sampling] = "under-sampling"
    makes_rows: ClassVar[bool] = False

    ratio: Annotated[float, Float(1, 20, log=True)] = Field(default=1.0, ge=1)

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; three common rows for each row of the smallest class."""
        return [cls(), cls(ratio=3)]

    def __call__(self, train: Dataset, rng: np.random.Generator) -> Dataset:
        """The rows that stay, in their order."""
        codes = class_codes(train, "random_under")
        return self.resampled(train, quotas(codes, train.weights, self.ratio), rng) if len(codes) else train

    def resampled(self, train: Dataset, wanted: np.ndarray, rng: np.random.Generator) -> Dataset:
        """`wanted` ``(n_classes,)`` rows of each class, in their order."""
        codes = class_codes(train, "random_under")
        kept = [rng.permutation(np.flatnonzero(codes == code))[:quota] for code, quota in enumerate(wanted)]
        return train.take(np.sort(np.concatenate(kept)))

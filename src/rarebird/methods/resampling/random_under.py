"""Leave out rows of common classes at random.

Kubat and Matwin, "Addressing the Curse of Imbalanced Training Sets: One-Sided Selection" (ICML 1997) discuss it;
Drummond and Holte, "C4.5, Class Imbalance, and Cost Sensitivity: Why Under-sampling Beats Over-sampling" (ICML
workshops 2003) recommend it. Each class keeps at most ``ratio`` rows for one row of the smallest class, drawn without
replacement.

*Helps when* common rows are many and alike, and time is short: epochs become shorter, and rare rows a larger part of
each. *Does not help when* the smallest class has a handful of rows, or the common classes have much to tell: what is
left out is lost for this network. `majority_parts` (batch sampling) leaves out other rows in every epoch, and loses
none. *Cost:* none; it saves time.

NOTE[DIFF]: `ratio` leaves more than one row for each of the smallest class.
"""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
from pydantic import Field

from rarebird.data.dataset import Dataset
from rarebird.methods.resampling._selection import class_codes, quotas
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")


class RandomUnder(Method):
    """Settings.

    Attributes:
        ratio: Rows that each class keeps, at most, for one row of the smallest.
    """

    ratio: Annotated[float, Float(1, 20, log=True)] = Field(default=1.0, ge=1)

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; three common rows for one of the smallest class."""
        return [cls(), cls(ratio=3)]

    def __call__(self, train: Dataset, rng: np.random.Generator) -> Dataset:
        """The rows that stay, in their order."""
        codes = class_codes(train, "random_under")
        if not len(codes):
            return train
        kept = [
            rng.permutation(np.flatnonzero(codes == code))[:quota]
            for code, quota in enumerate(quotas(codes, self.ratio))
        ]
        return train.take(np.sort(np.concatenate(kept)))

"""Class-balanced cross entropy: rows are weighted by the effective number of rows of their class.

Cui, Jia, Lin, Song and Belongie, "Class-balanced loss based on effective number of samples", CVPR 2019: rows of a class
overlap, so that n of them are worth ``E_n = (1 - beta^n) / (1 - beta)`` distinct ones, and a row is weighted by ``1 /
E_n``. `beta` goes from no weights at 0 to the balanced ones of `weighted` towards 1; ``1 / (1 - beta)`` is the number
of rows beyond which more of them no longer lower a class's weight.

*Helps when* balanced weights are too large for the rarest classes: an imbalance of 100 and more, and classes of a few
rows.

*Does not help when* all classes have many more rows than ``1 / (1 - beta)`` (then it is cross entropy) or when the
network fits every training row anyway; see `weighted`, and `logit_adjusted`, which still has an effect then.

Cost: that of cross entropy.

NOTE[DIFF]: weights are scaled so that their mean over the training rows is 1 (the paper: their sum is the number of
classes). Here it is the softmax form; the paper's class-balanced focal loss is `focal` with ``alpha =
"effective_number"``. A class without training rows is weighted as if it had one.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import Field
from torch import nn

from rarebird.methods.loss._class_weights import USUAL_BETA, effective_number
from rarebird.methods.loss._from_logits import FromLogits, known_counts
from rarebird.methods.loss.weighted import weighted
from rarebird.slots.methods import Method
from rarebird.slots.protocols import TargetStatistics
from rarebird.slots.ranges import Choice

KINDS = ("image", "table", "series")


class ClassBalanced(Method):
    """From which number of rows on the weight of a class stays the same.

    Attributes:
        beta: 0 is cross entropy; at .999 a class of 1000 rows or more is weighted much as one of 1000.
    """

    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    per_row: ClassVar[bool] = True

    beta: Annotated[float, Choice(0.9, 0.99, 0.999, 0.9999)] = Field(default=USUAL_BETA, ge=0, lt=1)

    @classmethod
    def neutral(cls) -> Self:
        """Cross entropy."""
        return cls(beta=0.0)

    @classmethod
    def examples(cls) -> list[Self]:
        """The default, cross entropy, and the ends of the paper's range."""
        return [cls(), cls(beta=0.0), cls(beta=0.9), cls(beta=0.9999)]

    def build(self, targets: TargetStatistics) -> nn.Module:
        """The loss as a module."""
        return FromLogits(weighted, weights=self.prior_factor(targets))

    def prior_factor(self, targets: TargetStatistics) -> np.ndarray:
        """The weights per class themselves, as those of `weighted`."""
        return effective_number(known_counts(targets, self.name), self.beta)

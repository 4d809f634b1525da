"""Ridge regression on class labels, solved in closed form; every training row gets an exact leave-one-out output.

Hoerl and Kennard, "Ridge regression", Technometrics 1970; leave-one-out by Allen's PRESS, Technometrics 1974; on labels
as in RidgeClassifier and ROCKET (Dempster, Petitjean and Webb, DMKD 2020). Targets are -1 and 1 for each class (soft
ones in between), or the standardized value. The penalty, and how classes are weighted, are those with the least loss of
the leave-one-out outputs: the log loss after a common scale and a bias for each class, or the squared error.

*Helps when* what learns is linear on frozen features: random kernels, a table's columns, a pretrained backbone. All
rows train one model, and each is judged as if it had been held out: no folds, no steps, no learning rate.

*Does not help when* rows and features are both many (beyond about 5000 of each the decomposition takes minutes), or
features should be learned.

Cost: one decomposition of ``min(n, width)^3``, whatever the number of penalties; a weighting of the classes costs one
more.

NOTE[DIFF]: rows are weighted, the intercept is not penalized, and groups and copies are left out together. Features
that were fitted to the training rows without their labels (scales, thresholds) are not fitted again without the row.
The outputs are scores; a calibration that is fitted to the leave-one-out outputs makes probabilities of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import Field

from rarebird.slots.methods import Method
from rarebird.slots.ranges import Choice, Float

if TYPE_CHECKING:
    from rarebird.slots.solved_head import HeadRows, SolvedHead

KINDS = ("image", "table", "series")
# Penalties to choose from, in units of the rows' mean squared distance from their mean.
PENALTIES = tuple(10.0 ** np.arange(-4, 2.01, 0.5))
# By the setting `class_weight`: rows of a class count ``1 / count ** power`` times.
POWERS = {"none": (0.0,), "square_root": (0.5,), "balanced": (1.0,), "chosen": (0.0, 0.5, 1.0)}


class Ridge(Method):
    """Settings of the regression.

    Attributes:
        penalty: In units of the rows' mean squared distance from their mean; None: chosen by leave-one-out.
        class_weight: How often rows of rare classes count. ``none``: once; ``balanced``: so that all classes have the
            same weight; ``square_root``: between the two; ``chosen``: by leave-one-out.
    """

    penalty: Annotated[float | None, Float(1e-4, 100, log=True)] = Field(default=None, gt=0)
    class_weight: Annotated[
        Literal["none", "square_root", "balanced", "chosen"], Choice("none", "square_root", "balanced")
    ] = "none"

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(penalty=0.1, class_weight="balanced"), cls(class_weight="chosen")]

    @property
    def solutions(self) -> tuple[int, int]:
        """How many weightings of the classes are decomposed, and how many solutions are tried in all."""
        weightings = len(POWERS[self.class_weight])
        return weightings, weightings * (len(PENALTIES) if self.penalty is None else 1)

    def solve(self, rows: HeadRows) -> SolvedHead:
        """The linear head for the training rows, and its leave-one-out outputs for them."""
        from rarebird.methods.head._solve import solve

        return solve(rows, PENALTIES if self.penalty is None else (self.penalty,), POWERS[self.class_weight])

"""How often prediction sets and intervals contain the truth on scored rows, as values for JSON."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from rarebird.evaluation.estimate import Estimate
from rarebird.model.conformal import Basis


class ClassSetScore(BaseModel):
    """The sets of the rows of one class.

    Attributes:
        label: The class.
        held_out: Held-out rows (groups) that the promise rests on.
        basis: How the promise comes about.
        covered: The share of its rows whose set contains it.
        size: The mean number of classes in these sets.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str
    held_out: int
    basis: Basis
    covered: Estimate
    size: Estimate


class SetScore(BaseModel):
    """Prediction sets of scored rows.

    Attributes:
        coverage: What is promised for each class.
        covered: The share of all rows whose set contains their class.
        size: The mean number of classes in a set.
        single: The share of sets of one class.
        classes: One entry per class.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    coverage: float
    covered: Estimate
    size: Estimate
    single: Estimate
    classes: tuple[ClassSetScore, ...]


class IntervalScore(BaseModel):
    """Intervals of scored rows.

    Attributes:
        coverage: What is promised.
        covered: The share of rows whose interval contains their value.
        width: The mean width.
        narrowest, widest: The width that a tenth of the intervals is below, and above.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    coverage: float
    covered: Estimate
    width: Estimate
    narrowest: float
    widest: float

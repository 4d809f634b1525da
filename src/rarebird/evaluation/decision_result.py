"""What a decision reaches on scored rows, as values for JSON: its cost, its promises, and the rows that it leaves to a
person."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from rarebird.evaluation.estimate import Estimate
from rarebird.slots.decisions import Promise


class DecisionSummary(BaseModel):
    """A run's decision.

    Attributes:
        name: The method.
        goal: What labels serve, where that is not the run's metric.
        promises: What it promises on new rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    goal: str = ""
    promises: tuple[Promise, ...] = ()


class CostCurve(BaseModel):
    """The cost if the mistakes on rows of one class were cheaper or dearer, relative to the best constant decision: 1
    is no better than one label for all rows, 0 is perfect (cost curves: Drummond and Holte 2006).

    Attributes:
        label: The class.
        factor: What the cost of its mistakes is multiplied by.
        share: The share of all possible costs that lies in mistakes on the class.
        decided: Relative cost of labels that are decided anew for each factor.
        most_probable: That of the most probable class.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str
    factor: list[float]
    share: list[float]
    decided: list[float]
    most_probable: list[float]


class CostScore(BaseModel):
    """The cost of the labels on scored rows.

    Attributes:
        per_row: The mean cost of a row.
        constant_label: The label that is cheapest for all rows alike.
        constant, most_probable: The mean cost of a row with that label, and with the most probable class.
        against_constant, against_most_probable: The labels' mean cost less these; below 0 the labels are cheaper.
        curve: None where all rows are of one class.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    per_row: Estimate
    constant_label: str
    constant: Estimate
    most_probable: Estimate
    against_constant: Estimate
    against_most_probable: Estimate
    curve: CostCurve | None = None


class PromiseScore(BaseModel):
    """A promise, and what these rows show of it.

    Attributes:
        promise: The promise.
        observed: The figure on these rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    promise: Promise
    observed: Estimate


class AbstentionScore(BaseModel):
    """Rows that are left to a person.

    Attributes:
        left: The share of the rows that are left.
        error: The share of wrong labels among the others.
        error_of_all: That of all rows, with the label that each would have.
        left_of_class: Class -> the share of its rows that are left.
        curve: ``labelled`` (share of rows) and ``error`` (of these), from the surest rows to all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    left: Estimate
    error: Estimate
    error_of_all: Estimate
    left_of_class: dict[str, Estimate]
    curve: dict[str, list[float]]


class DecisionScore(BaseModel):
    """What a decision reaches on scored rows.

    Attributes:
        cost: None for a decision that knows no costs.
        promises: Empty for a decision that promises nothing.
        abstention: None for a decision that labels all rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cost: CostScore | None = None
    promises: tuple[PromiseScore, ...] = ()
    abstention: AbstentionScore | None = None

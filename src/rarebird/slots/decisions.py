"""The contract of the slot `decision`: the rows that a decision is fitted on, and what a fitted decision can tell.

A fitted decision is a frozen value that JSON holds: ``probabilities (n, n_classes) -> codes (n,)``. It may keep further
contracts, which the scores, the report and `predict` ask for: a cost of each label, promises, rows that are left to a
person, and sentences on its own rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

import numpy as np
from pydantic import BaseModel, ConfigDict

from rarebird.slots.methods import Fitted

if TYPE_CHECKING:
    from torch import Tensor

# ``(y, predicted, weight) -> float``; higher is better.
Metric = Callable[[np.ndarray, np.ndarray, np.ndarray], float]


@dataclass(frozen=True, eq=False)
class DecisionRows:
    """Held-out rows that a decision is fitted on.

    Attributes:
        probabilities: ``(n, n_classes)`` under `prior`.
        y: ``(n,)`` int class codes.
        weight: ``(n,)`` sample weights; whole numbers count rows.
        metric: Larger values are better.
        prior: ``(n_classes,)`` class frequencies, by default those of the training rows.
        classes: The class labels; empty where no setting names a class.
        positive: The positive class of two; None for more.
        group: ``(n,)`` labels, equal for rows that are not independent; None where all rows are.
    """

    probabilities: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    metric: Metric
    prior: np.ndarray
    classes: tuple[str, ...] = ()
    positive: str | None = None
    group: np.ndarray | None = None


class FittedDecision(Protocol):
    """``probabilities (n, n_classes) -> codes (n,)``."""

    def __call__(self, probabilities: np.ndarray) -> np.ndarray: ...


@runtime_checkable
class Decision(Protocol):
    """Learns from probabilities of held-out rows, never from those of training rows.

    A class whose settings name classes, or that not every metric can serve, has ``check(metric, classes)``, which
    raises a `DataError` before anything is trained.
    """

    fitted: ClassVar[type[Fitted]]

    def fit(self, rows: DecisionRows) -> FittedDecision: ...


class Promise(BaseModel):
    """A figure of one class that a decision promises on new rows.

    Attributes:
        figure: ``precision``, ``recall``, ``specificity``: at least `level`. ``alerts`` (the share of all rows that get
            the label) and ``error`` (the share of wrong labels among those given): at most `level`.
        label: The class; empty for all.
        asked: What was asked for.
        level: What is promised: `asked`, or the nearest that can be promised; None if nothing can.
        confidence: The probability, over draws of held-out rows, with which the promise holds on new rows.
        rows: The number of held-out rows that the promise rests on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    figure: str
    label: str = ""
    asked: float
    level: float | None
    confidence: float
    rows: int

    @property
    def is_kept(self) -> bool:
        """Whether what was asked for is promised."""
        return self.level == self.asked


@runtime_checkable
class DecisionOnTensors(Protocol):
    """A fitted decision that has torch operations, too; without them, exported graphs give probabilities alone."""

    def on_tensors(self, probabilities: Tensor) -> Tensor: ...


@runtime_checkable
class CostlyDecision(Protocol):
    """A fitted decision that knows what each label costs."""

    @property
    def matrix(self) -> np.ndarray:
        """``(n_classes, n_classes)`` costs, true classes in rows, labels in columns; benefits are negative."""
        ...


@runtime_checkable
class RowCostDecision(Protocol):
    """A fitted decision whose costs are those of each row, by a column of the table.

    `column` is None where all rows cost the same. Mistakes on rows of the class `code` cost its value times as much.
    """

    column: str | None
    code: int | None

    def __call__(self, probabilities: np.ndarray, multiple: np.ndarray | None = None) -> np.ndarray: ...


@runtime_checkable
class PromisingDecision(Protocol):
    """A fitted decision that promises figures on new rows."""

    @property
    def promises(self) -> tuple[Promise, ...]: ...


@runtime_checkable
class AbstainingDecision(Protocol):
    """A fitted decision that leaves rows to a person; its codes are the labels that they would have, by `inner`."""

    @property
    def inner(self) -> FittedDecision: ...

    def abstains(self, probabilities: np.ndarray) -> np.ndarray:
        """``(n, n_classes) -> (n,)`` bool."""
        ...

    def certainty(self, probabilities: np.ndarray) -> np.ndarray:
        """``(n, n_classes) -> (n,)``: rows of smaller values are left to a person first."""
        ...


@runtime_checkable
class AimedDecision(Protocol):
    """A fitted decision that serves something else than the recipe's metric."""

    def goal(self, classes: Sequence[str]) -> str:
        """What labels serve, as the object of a sentence."""
        ...

"""Cost: the label of least expected cost, by what each mistake costs.

``argmin_j sum_k p_k C[k, j]`` for the cost ``C[k, j]`` of the label j on a row of class k: the Bayes decision (Elkan,
"The foundations of cost-sensitive learning", IJCAI 2001). It needs no held-out rows, but probabilities that tell the
truth. Benefits are negative costs.

*Helps when* mistakes differ in what they cost, and the costs are known, at least relative to each other.

*Does not help when* costs are unknown: state a floor instead (`constrained`). Nor where probabilities are not
calibrated: the report's reliability curves show it.

Cost: nothing.

NOTE: ties go to the class whose mistakes cost most. With costs that are the inverse of the priors it is `balanced`.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from pydantic import field_validator

from rarebird.core.checks import DataError, nearest, require
from rarebird.slots.decisions import DecisionRows
from rarebird.slots.methods import Fitted, Method

if TYPE_CHECKING:
    from torch import Tensor

KINDS = ("image", "table", "series")
# The key of `costs` that stands for all classes that are not named.
OTHERS = "*"
# Expected costs that differ by less than this share of the largest cost are equal.
ROUNDING = 1e-9


class FittedCost(Fitted):
    """The costs as a matrix; with a column, mistakes on rows of the class `code` cost its value times as much."""

    costs: tuple[tuple[float, ...], ...]
    column: str | None = None
    code: int | None = None

    @property
    def matrix(self) -> np.ndarray:
        """``(n_classes, n_classes)`` costs, true classes in rows, labels in columns."""
        return np.array(self.costs)

    def __call__(self, probabilities: np.ndarray, multiple: np.ndarray | None = None) -> np.ndarray:
        """``(n, n_classes) -> (n,)`` class codes.

        Args:
            probabilities: ``(n, n_classes)``.
            multiple: ``(n,)`` values of the column; None counts 1 for each row.
        """
        shape = self.matrix.shape
        require(
            shape == (probabilities.shape[1],) * 2,
            "a cost of each label for each class",
            classes=probabilities.shape[1],
            costs=shape,
        )
        if multiple is not None and self.code is not None:
            probabilities = probabilities.astype(np.float64)
            probabilities[:, self.code] *= multiple
        return cheapest(probabilities, self.matrix)

    def on_tensors(self, probabilities: Tensor) -> Tensor:
        """The same decision in torch, for an exported graph."""
        import torch

        costs = probabilities.new_tensor(self.costs, dtype=torch.float64)
        expected = probabilities.double() @ costs
        tied = expected <= expected.amin(dim=1, keepdim=True) + ROUNDING * float(np.abs(self.matrix).max(initial=0.0))
        misses = costs.sum(dim=1) - costs.diagonal()
        return torch.where(tied, misses, -torch.inf).argmax(dim=1)

    def goal(self, classes: Sequence[str]) -> str:
        """What labels serve, as the object of a sentence."""
        return "the least expected cost"


class Cost(Method):
    """What each mistake costs.

    Attributes:
        costs: True class -> label -> cost, ``{ill = {well = 10}, well = {ill = 1}}``; the right label costs 0 unless it
            is named, and ``*`` stands for all classes that are not. Or a CSV file: its first row has the labels, each
            other row a true class and its costs.
        column: A column of the table; mistakes on rows of the positive (or the rarest) class cost its value times as
            much, such as the amount of a payment.
    """

    fitted: ClassVar[type[Fitted]] = FittedCost

    costs: dict[str, dict[str, float]]
    column: str | None = None

    @field_validator("costs", mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        return read_costs(Path(value)) if isinstance(value, str) else value

    @classmethod
    def examples(cls) -> list[Self]:
        """One price for all mistakes, and a dearer one of one class."""
        return [cls(costs={OTHERS: {OTHERS: 1}}), cls(costs={"0": {OTHERS: 5}, OTHERS: {OTHERS: 1, "0": 2}})]

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Self:
        """One of the examples: costs are known, and not searched."""
        return cls.examples()[0]

    def check(self, metric: str, classes: Sequence[str]) -> None:
        """Refuse costs that do not fit the classes.

        Raises:
            DataError: A label is unknown, or a cost is missing.
        """
        cost_matrix(self.costs, classes)

    def fit(self, rows: DecisionRows) -> FittedCost:
        """The costs for the rows' classes; the rows themselves are not used."""
        classes = rows.classes or tuple(map(str, range(rows.probabilities.shape[1])))
        matrix = tuple(tuple(row) for row in cost_matrix(self.costs, classes).tolist())
        if self.column is None:
            return FittedCost(costs=matrix)
        rarest = int(np.where(rows.prior > 0, rows.prior, np.inf).argmin())
        code = rarest if rows.positive is None else classes.index(rows.positive)
        return FittedCost(costs=matrix, column=self.column, code=code)


def cheapest(probabilities: np.ndarray, costs: np.ndarray) -> np.ndarray:
    """``argmin_j sum_k p_k costs[k, j]``, ``(n, n_classes) -> (n,)``; equal costs, up to rounding, go to the class
    whose mistakes cost most."""
    expected = probabilities.astype(np.float64) @ costs
    size = np.abs(costs).max(initial=0.0)
    tied = expected <= expected.min(axis=1, keepdims=True) + ROUNDING * size
    misses = costs.sum(axis=1) - np.diag(costs)
    codes: np.ndarray = np.where(tied, misses, -np.inf).argmax(axis=1)
    return codes


def cost_matrix(costs: dict[str, dict[str, float]], classes: Sequence[str]) -> np.ndarray:
    """``(n_classes, n_classes)`` costs, true classes in rows, labels in columns.

    Raises:
        DataError: A label is no class, or the cost of a mistake is missing.
    """
    for label in (*costs, *(label for row in costs.values() for label in row)):
        if label != OTHERS and label not in classes:
            raise DataError(f"The costs name the class {label!r}, which does not exist; {nearest(label, classes)}")
    return np.array([[_stated(costs, true, label) for label in classes] for true in classes])


def _stated(costs: dict[str, dict[str, float]], true: str, label: str) -> float:
    """The cost of one label for one class: what is said of the class comes before what is said of all others."""
    for row in [costs.get(true, {}), costs.get(OTHERS, {}) if true != label else {}]:
        if label in row:
            return row[label]
        if true != label and OTHERS in row:
            return row[OTHERS]
    if true == label:
        return 0.0
    raise DataError(
        f"The costs lack what it costs to label a row of {true!r} as {label!r}; add it, or '{OTHERS}' for all classes "
        "that are not named."
    )


def read_costs(path: Path) -> dict[str, dict[str, float]]:
    """Costs from a CSV file: its first row has the labels, each other row a true class and its costs; an empty cell is
    not stated.

    Raises:
        DataError: The file cannot be read, or a cell is no number.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, *rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    except (OSError, ValueError, csv.Error):
        raise DataError(
            f"{path} holds no costs that can be read; give a CSV file whose first row has the labels, and whose other "
            "rows each have a true class and its costs."
        ) from None
    costs: dict[str, dict[str, float]] = {}
    for row in rows:
        true = row[0].strip()
        if true in costs or len(row) > len(header):
            raise DataError(f"{path} has two rows of {true!r}, or one that is longer than the first row; mend it.")
        costs[true] = {
            label.strip(): _number(cell, path, true, label)
            for label, cell in zip(header[1:], row[1:], strict=False)
            if cell.strip()
        }
    return costs


def _number(cell: str, path: Path, true: str, label: str) -> float:
    try:
        return float(cell)
    except ValueError:
        raise DataError(f"{path} has the cost {cell!r} of the label {label!r} for {true!r}; give a number.") from None

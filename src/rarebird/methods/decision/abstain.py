"""Abstain: rows whose label is too unsure are left to a person.

The label is that of another decision; a row is left where the probability of its label is below a cut-off (Chow, "On
optimum recognition error and reject tradeoff", IEEE Transactions on Information Theory 1970). The cut-off leaves a
budget of the rows (`share`), or as few as a promised error on the others allows (`error`; El-Yaniv and Wiener 2010;
Geifman and El-Yaniv, "Selective classification for deep neural networks", NeurIPS 2017), tested in a fixed order on
held-out rows by exact binomial tests (Clopper and Pearson 1934; "Learn then Test", 2021).

*Helps when* a person can look at some rows, and a wrong label costs more than that look.

*Does not help when* errors are as frequent among sure rows as among unsure ones: the report's curve is then flat. Nor
when held-out rows are few: an error of .02 needs 114 labelled rows without a mistake at a confidence of .9.

Cost: a sort of the held-out rows.

NOTE[DIFF]: if no cut-off promises the error, the one with the lowest promise is taken, and the report says so. With a
class-wise `error` the cut-off of each label is its own. `balanced` labels of a rare class are improbable: their error
is large by intent, so that an error for each label is the better promise there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from rarebird.core.checks import DataError, nearest, require
from rarebird.data.row_counts import quantiles, rows_of
from rarebird.methods.decision._floors import Cuts, kept, number_of, promised
from rarebird.slots import methods
from rarebird.slots.decisions import AimedDecision, DecisionRows, Promise
from rarebird.slots.methods import Fitted, Method

KINDS = ("image", "table", "series")


class FittedAbstain(Fitted):
    """Labels of another decision, and a cut-off of the probability of each.

    Attributes:
        name, labels: The other decision, and its fitted value's fields.
        cut_offs: ``(n_classes,)`` the probability of a label from which on it is given.
        promises: What is promised of the labels that are given.
    """

    name: str
    labels: dict[str, Any]
    cut_offs: tuple[float, ...]
    promises: tuple[Promise, ...] = ()

    @property
    def inner(self) -> Any:
        """The other decision."""
        return methods.load("decision", self.name).fitted(**self.labels)  # type: ignore[attr-defined]

    def __call__(self, probabilities: np.ndarray) -> np.ndarray:
        """``(n, n_classes) -> (n,)`` class codes, also of rows that are left to a person."""
        require(
            probabilities.shape[1] == len(self.cut_offs),
            "one cut-off per class",
            classes=probabilities.shape[1],
            cut_offs=len(self.cut_offs),
        )
        codes: np.ndarray = self.inner(probabilities)
        return codes

    def certainty(self, probabilities: np.ndarray) -> np.ndarray:
        """``(n,)`` the probability of each row's label less its cut-off."""
        codes = self(probabilities)
        sure: np.ndarray = probabilities[np.arange(len(codes)), codes] - np.array(self.cut_offs)[codes]
        return sure

    def abstains(self, probabilities: np.ndarray) -> np.ndarray:
        """``(n,)`` bool: the rows that are left to a person."""
        left: np.ndarray = self.certainty(probabilities) < 0
        return left

    def goal(self, classes: Sequence[str]) -> str:
        """What labels serve, where the other decision knows it."""
        inner = self.inner
        return inner.goal(classes) if isinstance(inner, AimedDecision) else ""


class Abstain(Method):
    """How many rows are left, or how many of the others may be wrong.

    Attributes:
        share: The share of rows that are left.
        error: The most labels that may be wrong among those given, as a share; or one for each label.
        labels: The decision that gives the labels: its name, or a table with its settings.
        confidence: The probability with which the error holds on new rows.
    """

    fitted: ClassVar[type[Fitted]] = FittedAbstain

    share: float | None = Field(default=None, gt=0, lt=1)
    error: float | dict[str, float] | None = None
    labels: str | dict[str, Any] = "argmax"
    confidence: float = Field(default=0.9, gt=0.5, lt=1)

    @field_validator("error")
    @classmethod
    def _between(cls, value: Any) -> Any:
        for one in value.values() if isinstance(value, dict) else [] if value is None else [value]:
            if not 0 < one < 1:
                raise ValueError(f"`0 < error < 1` must hold, but got error={one!r}.")
        return value

    @model_validator(mode="after")
    def _one_goal(self) -> Self:
        if (self.share is None) == (self.error is None):
            raise ValueError("one of share (of rows left to a person) and error (of the others) is needed.")
        if "abstain" in (self.labels, self.labels.get("name") if isinstance(self.labels, dict) else ""):
            raise ValueError("labels come from another decision, such as argmax.")
        methods.of("decision", self.labels)
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        """A budget, a promise, and a promise for each label."""
        return [cls(share=0.1), cls(error=0.1, labels="balanced"), cls(error={"0": 0.2})]

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Self:
        """One of the examples: what is left is stated, and not searched."""
        return cls.examples()[0]

    def check(self, metric: str, classes: Sequence[str]) -> None:
        """Refuse unknown labels, and what the other decision refuses.

        Raises:
            DataError: They do not fit.
        """
        for label in self.error if isinstance(self.error, dict) else ():
            if label not in classes:
                raise DataError(f"The error names the class {label!r}, which does not exist; {nearest(label, classes)}")
        inner: Any = methods.of("decision", self.labels)
        if hasattr(inner, "check"):
            inner.check(metric, classes)

    def fit(self, rows: DecisionRows) -> FittedAbstain:
        """Fit the labels, and choose the cut-offs, on held-out rows."""
        method: Any = methods.of("decision", self.labels)
        inner = method.fit(rows)
        codes, n_classes = inner(rows.probabilities), rows.probabilities.shape[1]
        sure = rows.probabilities[np.arange(len(codes)), codes].astype(float)
        counts = rows_of(rows.weight)
        cut_offs, promises = np.zeros(n_classes), []
        known = counts > 0
        if self.share is not None and known.any():
            cut_offs[:] = quantiles(sure[known], counts[known], np.array([self.share]))[0]
        for place, asked in self._asked(rows).items():
            mine = known & (codes == place) if place is not None else known
            group = None if rows.group is None else rows.group[mine]
            level, chosen = self._cut_off(
                Cuts.of(sure[mine], (codes == rows.y)[mine], counts[mine], group, True), asked
            )
            cut_offs[slice(None) if place is None else place] = chosen
            label = "" if place is None else _labels(rows)[place]
            given: dict[str, Any] = {"level": level, "confidence": self.confidence, "rows": number_of(counts[mine])}
            promises.append(Promise(figure="error", label=label, asked=asked, **given))
        return FittedAbstain(
            name=method.name,
            labels=inner.model_dump(mode="json"),
            cut_offs=tuple(cut_offs.tolist()),
            promises=tuple(promises),
        )

    def _asked(self, rows: DecisionRows) -> dict[int | None, float]:
        """The code of a label, or None for all, -> the error that is asked for."""
        if isinstance(self.error, dict):
            return {_labels(rows).index(label): error for label, error in self.error.items()}
        return {} if self.error is None else {None: self.error}

    def _cut_off(self, right: Cuts, asked: float) -> tuple[float | None, float]:
        """The promise of an error, and the lowest cut-off that keeps it; otherwise those of the lowest promise."""
        if not len(right.at):
            return None, 0.0
        allowed = np.flatnonzero(kept(right, "precision", 1 - asked, 1 - self.confidence))
        if len(allowed):
            return asked, float(right.at[allowed[-1]])
        level = promised(right, "precision", 1 - asked, 1 - self.confidence)
        place = int(level.argmax())
        return float(1 - level[place]) if level[place] > 0 else None, float(right.at[place])


def _labels(rows: DecisionRows) -> tuple[str, ...]:
    return rows.classes or tuple(map(str, range(rows.probabilities.shape[1])))

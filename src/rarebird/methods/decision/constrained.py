"""Constrained: the best of one figure of a class under floors of others, which hold on new rows with confidence.

"The best recall of `ill` at a precision of at least .3", "the best precision at a recall of at least .95", "the best
recall with at most 50 alerts per 1000 rows": a row is labelled as the class if its probability is above a cut-off, and
otherwise as the most probable of the other classes. The cut-off is chosen among those whose floors are shown on
held-out rows by exact one-sided tests (Clopper and Pearson, Biometrika 1934; Angelopoulos et al., "Learn then Test",
2021).

*Helps when* a rule has to hold on new rows: a screening that must find 95 % of a class, a desk that can look at 50 rows
a day.

*Does not help when* held-out rows of the class are few: a recall of .95 needs 45 of them at a confidence of .9. If no
cut-off keeps the floor with that confidence, the nearest is taken, and the report says what it promises.

Cost: a sort of the held-out rows.

NOTE[DIFF]: the tests take held-out rows for rows of the model that ships, which averages the networks of the folds.
The error is divided equally among several floors. With groups (patients), the tests count effective rows. Of a
precision the highest cut-off is taken, of a recall the lowest; F-beta is averaged over neighboring cut-offs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from pydantic import Field, field_validator

from rarebird.core.checks import DataError, nearest
from rarebird.data.row_counts import rows_of
from rarebird.methods.decision._floors import FIGURES, Cuts, kept, number_of, promised
from rarebird.methods.decision._offset_search import smooth
from rarebird.slots.decisions import DecisionRows, Promise
from rarebird.slots.methods import Fitted, Method

if TYPE_CHECKING:
    from torch import Tensor

KINDS = ("image", "table", "series")
# Alerts are stated per this number of rows.
PER = 1000
F_BETA = re.compile(r"f(\d+(\.\d+)?|\.\d+)")


class FittedConstrained(Fitted):
    """One class's cut-off, and what it promises.

    Attributes:
        code: The class.
        cut_off: The probability from which on a row is labelled so.
        maximized: The figure that is largest among the cut-offs that keep the floors.
        promises: One per floor.
    """

    code: int = Field(ge=0)
    cut_off: float
    maximized: str
    promises: tuple[Promise, ...]

    def __call__(self, probabilities: np.ndarray) -> np.ndarray:
        """``(n, n_classes) -> (n,)`` class codes."""
        others = probabilities.copy()
        others[:, self.code] = -np.inf
        return np.asarray(np.where(probabilities[:, self.code] >= self.cut_off, self.code, others.argmax(axis=1)))

    def on_tensors(self, probabilities: Tensor) -> Tensor:
        """The same decision in torch, for an exported graph."""
        import torch

        is_class = torch.arange(probabilities.shape[1]) == self.code
        others = torch.where(is_class, -torch.inf, probabilities).argmax(dim=1)
        return torch.where(probabilities[:, self.code] >= self.cut_off, self.code, others)

    def goal(self, classes: Sequence[str]) -> str:
        """What labels serve, as the object of a sentence."""
        floors = [_floor_text(one) for one in self.promises]
        return f"{self.maximized} of “{classes[self.code]}”{' at ' if floors else ''}{' and '.join(floors)}"


class Constrained(Method):
    """The figure to maximize, and the floors.

    Attributes:
        label: The class; None: the positive one of two, or the rarest.
        precision, recall, specificity: The least that each must be.
        alerts: The most rows per 1000 that may get the label.
        maximize: ``recall``, ``precision``, ``specificity``, or ``f1``, ``f2``, ``f0.5`` and so on; None: precision
            under a floor of recall, otherwise recall.
        confidence: The probability with which all floors hold on new rows.
    """

    fitted: ClassVar[type[Fitted]] = FittedConstrained

    label: str | None = None
    precision: float | None = Field(default=None, gt=0, lt=1)
    recall: float | None = Field(default=None, gt=0, lt=1)
    specificity: float | None = Field(default=None, gt=0, lt=1)
    alerts: float | None = Field(default=None, gt=0, lt=PER)
    maximize: str | None = None
    confidence: float = Field(default=0.9, gt=0.5, lt=1)

    @field_validator("maximize")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is not None and value not in FIGURES[:3] and not F_BETA.fullmatch(value):
            raise ValueError(f"`maximize is recall, precision, specificity or f1` must hold, but got {value!r}.")
        return value

    @classmethod
    def examples(cls) -> list[Self]:
        """One floor of each kind, two together, and none."""
        return [
            cls(precision=0.3),
            cls(alerts=200, maximize="f1"),
            cls(recall=0.5, specificity=0.5),
            cls(maximize="f2"),
        ]

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Self:
        """One of the examples: floors are stated, and not searched."""
        return cls.examples()[0]

    @property
    def floors(self) -> dict[str, float]:
        """Figure -> floor; of ``alerts`` the largest share."""
        given = {name: getattr(self, name) for name in FIGURES}
        return {name: value / PER if name == "alerts" else value for name, value in given.items() if value is not None}

    @property
    def maximized(self) -> str:
        """The figure to maximize."""
        return self.maximize or ("precision" if self.recall is not None else "recall")

    def check(self, metric: str, classes: Sequence[str]) -> None:
        """Refuse an unknown class, and a goal that one label for all rows reaches.

        Raises:
            DataError: There is no such class, or no floor beside a figure that needs one.
        """
        if self.label is not None and self.label not in classes:
            raise DataError(
                f"The decision names the class {self.label!r}, which does not exist; {nearest(self.label, classes)}"
            )
        if self.maximized in FIGURES and not set(self.floors) - {self.maximized}:
            floor = "recall" if self.maximized == "precision" else "precision"
            raise DataError(
                f"The decision constrained needs a floor beside {self.maximized}, such as --set decision.{floor}=0.5 "
                "or --set decision.alerts=50 (alerts per 1000 rows)."
            )

    def fit(self, rows: DecisionRows) -> FittedConstrained:
        """Choose the cut-off on held-out rows."""
        code = self._code(rows)
        label = rows.classes[code] if rows.classes else str(code)
        counts = rows_of(rows.weight)
        is_class = rows.y == code
        n_class = number_of(counts[is_class])
        floors, error = self.floors, 1 - self.confidence
        if not n_class or (is_class | (counts <= 0)).all():
            # Rows of one class alone show no cut-off.
            return self._fitted(code, float(rows.prior[code]), label, dict.fromkeys(floors), n_class)
        cuts = Cuts.of(rows.probabilities[:, code], is_class, counts, rows.group)
        place, levels = self._chosen(cuts, floors, error / max(len(floors), 1))
        cut_off = float(cuts.at[place]) if len(cuts.at) else float(rows.prior[code])
        return self._fitted(code, cut_off, label, levels, n_class)

    def _code(self, rows: DecisionRows) -> int:
        label = self.label if self.label is not None else rows.positive
        if label is not None and rows.classes:
            return rows.classes.index(label)
        return int(np.where(rows.prior > 0, rows.prior, np.inf).argmin())

    def _chosen(self, cuts: Cuts, floors: dict[str, float], error: float) -> tuple[int, dict[str, float | None]]:
        """The place of the best cut-off, and the level of each floor that it promises."""
        if not len(cuts.at):
            return 0, dict.fromkeys(floors)
        allowed = np.ones(len(cuts.at), dtype=bool)
        for name, floor in floors.items():
            allowed &= kept(cuts, name, floor, error)
        if allowed.any():
            return self._best(cuts, allowed), dict(floors)
        margins = {name: promised(cuts, name, floor, error) for name, floor in floors.items()}
        above = [margins[name] - (1 - floor if name == "alerts" else floor) for name, floor in floors.items()]
        place = int(np.min(above, axis=0).argmax())
        levels: dict[str, float | None] = {}
        for name, floor in floors.items():
            level = float(margins[name][place])
            at_most = 1 - level if name == "alerts" else level
            holds = bool(kept(cuts, name, floor, error)[place])
            levels[name] = floor if holds else at_most if np.isfinite(level) and level > 0 else None
        return place, levels

    def _best(self, cuts: Cuts, allowed: np.ndarray) -> int:
        """The place of the allowed cut-off at which the figure is largest."""
        places = np.flatnonzero(allowed)
        if self.maximized in ("precision", "specificity"):
            return int(places[0])
        if self.maximized == "recall":
            return int(places[-1])
        beta = float(self.maximized[1:])
        # F-beta up to the factor 1 + beta^2, which is that of all cut-offs.
        value = cuts.hits / (beta**2 * cuts.n_class + cuts.above)
        value = smooth(value, np.log(np.maximum(cuts.at, 1e-12))) if len(value) <= 2000 else value
        return int(places[value[places].argmax()])

    def _fitted(
        self, code: int, cut_off: float, label: str, levels: dict[str, float | None], n_class: int
    ) -> FittedConstrained:
        more: dict[str, Any] = {"label": label, "confidence": self.confidence, "rows": n_class}
        promises = [Promise(figure=name, asked=self.floors[name], level=levels[name], **more) for name in levels]
        return FittedConstrained(code=code, cut_off=cut_off, maximized=self.maximized, promises=tuple(promises))


def _floor_text(promise: Promise) -> str:
    if promise.figure == "alerts":
        return f"{PER * promise.asked:g} alerts per {PER} rows or fewer"
    return f"a {promise.figure} of {promise.asked:g} or more"

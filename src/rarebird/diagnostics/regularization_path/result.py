"""The result of a regularization path: scores at each strength, the best one, and the choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rarebird.diagnostics.regularization_path.one_standard_error import Point
from rarebird.diagnostics.regularization_path.penalty import Penalty
from rarebird.recipe.recipe import Recipe
from rarebird.report.language.chosen import told
from rarebird.report.profile_text import display_width


@dataclass(frozen=True)
class RegularizationPath:
    """Scores of a recipe at each strength of a penalty.

    Attributes:
        penalty: The penalty with this strength.
        metric: The metric of the scores.
        points: One per strength, from weak to strong.
        best: The point with the best mean validation score.
        chosen: The choice of the one-standard-error rule.
        folds, repeats: Each strength was trained folds times repeats times.
        steps: Steps of each training.
        recipe: The given recipe with the chosen strength.
        notes: Sentences that the user should read.
    """

    penalty: Penalty
    metric: str
    points: Sequence[Point]
    best: Point
    chosen: Point
    folds: int
    repeats: int
    steps: int
    recipe: Recipe
    notes: Sequence[str]

    def for_machines(self) -> dict[str, Any]:
        """Everything but the recipe, as JSON holds it; undefined numbers are null."""
        return {
            "penalty": self.penalty.name,
            "key": self.penalty.key,
            "metric": self.metric,
            "folds": self.folds,
            "repeats": self.repeats,
            "steps": self.steps,
            "points": [_plain(point) for point in self.points],
            "best": self.best.strength,
            "one_standard_error": self.chosen.strength,
            "notes": list(self.notes),
        }

    def to_text(self) -> str:
        """A table for a person."""
        trainings = f"means of {self.folds * self.repeats} trainings of {self.steps} steps, with standard errors"
        lines = [
            f"{self.metric} by the {self.penalty.label}: {trainings}.",
            _heads(),
        ]
        for point in self.points:
            marked = (("best", self.best), ("one standard error", self.chosen))
            marks = [told(name) for name, one in marked if one is point]
            lines.append(_line(point, "  <- " + ", ".join(marks) if marks else ""))
        return "\n".join([*lines, *(f"Note: {note}" for note in self.notes)])


def _heads() -> str:
    """The heads of the table, over its columns also where letters are two columns wide."""
    strength, training, validation = (told(head) for head in ("strength", "training", "validation"))
    room = (" " * (10 - display_width(strength)), " " * (17 - display_width(training)))
    return f"  {room[0]}{strength}  {training}{room[1]} {validation}"


def _plain(point: Point) -> dict[str, Any]:
    figures = {name: value if np.isfinite(value) else None for name, value in asdict(point).items() if name != "why"}
    return {**figures, **({"why": point.why} if point.why else {})}


def _line(point: Point, mark: str) -> str:
    strength = f"  {point.strength:>10g}  "
    if point.why:
        return strength + told(f"not judged: {point.why}")
    training = _shown(point.training, point.training_error)
    return f"{strength}{training}  {_shown(point.validation, point.validation_error)}{mark}"


def _shown(value: float, error: float) -> str:
    return f"{value:<7.4g} ± {error:<7.2g}"

"""The regularization path: what a recipe is worth on training and on held-out rows at each strength of one penalty.

The weakest penalties overfit (good on rows that were learned from, worse on others), the strongest underfit (bad on
both); the choice between is the one-standard-error rule's
(`rarebird.diagnostics.regularization_path.one_standard_error`). All strengths are trained on the same parts of the
training rows with the same seeds and steps. The test rows take no part.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rarebird.core.checks import DataError, require
from rarebird.data import split
from rarebird.data.dataset import Dataset
from rarebird.diagnostics.regularization_path.one_standard_error import Point, Scored, one_standard_error
from rarebird.diagnostics.regularization_path.path_walk import Walk
from rarebird.diagnostics.regularization_path.penalty import Penalty
from rarebird.evaluation import cross_validate
from rarebird.metrics import names
from rarebird.recipe.recipe import Recipe
from rarebird.training.cross_fit import Parts, bench_of

Tell = Callable[[float, str], bool]
STOPPING = "early_stopping"


@dataclass(frozen=True)
class RegularizationPath:
    """What a path says.

    Attributes:
        penalty: Whose strength it is.
        metric: What the scores are.
        points: One per strength, rising.
        best: The point of the best mean validation score.
        chosen: The point of the one-standard-error rule.
        folds, repeats: Each strength was trained folds times repeats times.
        steps: Of each training.
        recipe: As it was given, with the chosen strength.
        notes: Sentences on what was left out, or should be looked at.
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
        """Everything but the recipe, as JSON holds it; what is undefined is null."""
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
            f"  {'strength':>10}  {'training':<17} validation",
        ]
        for point in self.points:
            marks = [
                name for name, marked in (("best", self.best), ("one standard error", self.chosen)) if marked is point
            ]
            lines.append(_line(point, "  <- " + ", ".join(marks) if marks else ""))
        return "\n".join([*lines, *(f"Note: {note}" for note in self.notes)])


def regularization_path(
    recipe: Recipe,
    train: Dataset,
    penalty: Penalty,
    strengths: Sequence[float],
    further: Sequence[float] = (),
    *,
    folds: int = 5,
    repeats: int = 1,
    metric: str | None = None,
    positive: str | None = None,
    deadline: float | None = None,
    device: str = "cpu",
    tell: Tell = lambda progress, what: False,
) -> RegularizationPath:
    """Judge a recipe at each strength of a penalty.

    Args:
        recipe: Everything but the strength.
        train: Training rows; no test row is among them.
        penalty: Whose strength is varied, as `penalty_of` finds it.
        strengths: Rising.
        further: Stronger ones, which are tried as long as the penalty has done no harm.
        folds: Parts of a split.
        repeats: Splits with other parts and seeds.
        metric: What is scored; None: the recipe's.
        positive: Of two classes, the one that precision and recall speak of.
        deadline: When all should be done, on the scale of `time.monotonic`; a recipe that lays out its own steps is not
            bound by it.
        device: A torch device.
        tell: Told of the progress; True from it ends the path with the strengths that are done.

    Raises:
        DataError: The recipe cannot be trained on these rows at any strength, or the metric is undefined on them.
    """
    rising = [*strengths, *further]
    require(
        bool(strengths) and rising == sorted(set(rising)),
        "one strength or more, rising",
        strengths=strengths,
        further=further,
    )
    metric = metric or recipe.metric
    larger_is_better = names.metric(metric, train.classes).larger_is_better
    splits = [split.parts(train, split.decide(train, folds=folds), recipe.seed + repeat) for repeat in range(repeats)]
    deadline = None if recipe.steps is not None else deadline
    walked, notes = _without_stopping(recipe)
    walked = _laid_out(
        penalty.at(walked, strengths[0]), train, splits[0], deadline, repeats * len(rising), device, notes
    )

    def judged(repeat: int, strength: float) -> Scored:
        one = penalty.at(walked, strength).updated(seed=recipe.seed + repeat)
        found = cross_validate.judge(one, train, splits[repeat], positive=positive, device=device, learned=True)
        assert found.learned is not None
        return found.learned.values(metric, train, positive), found.values(metric, train, positive)

    walk = Walk(strengths, further, repeats, judged, larger_is_better)
    walk.run(deadline, tell)
    points = walk.points
    _check(points, metric)
    best, chosen = one_standard_error(points, larger_is_better)
    notes += walk.notes + _at_the_ends(points, best, chosen, strengths[-1])
    assert walked.steps is not None
    final = penalty.at(recipe, chosen.strength).updated(relaid=())
    return RegularizationPath(penalty, metric, points, best, chosen, folds, repeats, walked.steps, final, notes)


def _without_stopping(recipe: Recipe) -> tuple[Recipe, list[str]]:
    """The recipe as the path trains it: nothing ends a training early, and no changes of an earlier run are
    repeated."""
    kept = [method for method in recipe.regularization if type(method).name != STOPPING]
    stopping = ["Early stopping took no part in the path, whose trainings are all of one length. The recipe keeps it."]
    return recipe.updated(regularization=kept, relaid=()), stopping if len(kept) < len(recipe.regularization) else []


def _laid_out(
    recipe: Recipe, train: Dataset, parts: Parts, deadline: float | None, rounds: int, device: str, notes: list[str]
) -> Recipe:
    """The recipe with the steps that all trainings of all strengths take, by one measurement where there is a deadline
    to meet."""
    bench = bench_of(recipe, train, parts[0][0], None, 0, device)
    unhurried = bench.lay_out(None, len(parts))
    if deadline is None:
        return unhurried
    seconds = 0.0
    for _ in range(2):  # a process's first steps and predictions take many times as long as all others
        begun = time.monotonic()
        cross_validate.judge(recipe.updated(steps=1), train, parts, device=device, learned=True)
        seconds = time.monotonic() - begun
    # What a round takes beside its steps (preparing, predicting all rows, calibrating), and at most half of what is
    # left.
    beside = min(rounds * seconds, max(deadline - time.monotonic(), 0.0) / 2)
    laid_out = bench.lay_out(deadline - beside, rounds * len(parts))
    if recipe.epochs is not None and (laid_out.steps or 0) < (unhurried.steps or 0):
        notes.append(
            f"The budget leaves each training {laid_out.steps} of the {unhurried.steps} steps that the recipe asks for; "
            "the strength that suits a longer training may be another."
        )
    return laid_out


def _check(points: Sequence[Point], metric: str) -> None:
    """Some strength has a score.

    Raises:
        DataError: None has.
    """
    if not points:
        raise DataError("The path was ended before its first strength was trained; nothing was written.")
    if all(point.why for point in points):
        raise DataError(points[0].why)
    if not any(np.isfinite(point.validation) for point in points):
        raise DataError(f"The metric {metric!r} is undefined on the rows that judge; choose another with --metric.")


def _at_the_ends(points: Sequence[Point], best: Point, chosen: Point, usual: float) -> list[str]:
    """What to look at where a choice stands at an end of the path, beyond which nothing was tried, or the path went on
    beyond its range."""
    notes = []
    if points[-1].strength > usual:
        notes.append(
            f"The strengths above {usual:g} lie beyond the usual range, whose strongest penalty did no harm yet."
        )
    if best is points[0]:
        notes.append("The weakest penalty is the best; a weaker one (--low), or none, may be better.")
    if chosen is points[-1]:
        notes.append(
            "The strongest penalty is within one standard error of the best; a stronger one (--high) may be, too."
        )
    return notes


def _plain(point: Point) -> dict[str, Any]:
    figures = {name: value if np.isfinite(value) else None for name, value in asdict(point).items() if name != "why"}
    return {**figures, **({"why": point.why} if point.why else {})}


def _line(point: Point, mark: str) -> str:
    training, validation = (
        _shown(point.training, point.training_error),
        _shown(point.validation, point.validation_error),
    )
    return f"  {point.strength:>10g}  " + (
        f"not judged: {point.why}" if point.why else f"{training}  {validation}{mark}"
    )


def _shown(value: float, error: float) -> str:
    return f"{value:<7.4g} ± {error:<7.2g}"

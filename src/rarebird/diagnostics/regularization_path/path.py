"""The regularization path: training and held-out scores of a recipe at each strength of one penalty.

The weakest penalties overfit (good scores on rows that were trained on, worse ones on others), the strongest underfit
(bad scores on both). The one-standard-error rule chooses between them
(`rarebird.diagnostics.regularization_path.one_standard_error`). All strengths are trained on the same parts of the
training rows, with the same seeds and steps. Test rows are never used.

A method's usual range need not reach the strength at which a short training underfits: a weight decay of 0.5 at a
learning rate of 2e-3 takes off only a tenth in 100 steps. The path should show that end, too, so stronger penalties are
tried while the strongest one so far does no harm.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rarebird.core.checks import DataError, require
from rarebird.core.compute import Compute
from rarebird.core.progress import Progress
from rarebird.data import split
from rarebird.data.dataset import Dataset, Splits
from rarebird.diagnostics.regularization_path.one_standard_error import Point, Scored, one_standard_error, points_of
from rarebird.diagnostics.regularization_path.penalty import Penalty
from rarebird.diagnostics.regularization_path.result import RegularizationPath
from rarebird.evaluation.cross_validate import cross_validate
from rarebird.experiment.setup import positive_class
from rarebird.metrics import names
from rarebird.recipe.recipe import Recipe
from rarebird.training.cross_fit import Parts, trainer_of

STOPPING = "early_stopping"


@dataclass(frozen=True)
class PathOptions:
    """How each strength is scored.

    Attributes:
        folds: Parts of a split.
        repeats: Splits, each with other parts and seeds.
        metric: The metric of the scores; None: the recipe's.
        positive: For two classes, the one that precision and recall are about; None: the rarer.
    """

    folds: int = 5
    repeats: int = 1
    metric: str | None = None
    positive: str | None = None


def regularization_path(
    recipe: Recipe,
    train: Dataset,
    penalty: Penalty,
    strengths: Sequence[float],
    further: Sequence[float] = (),
    options: PathOptions | None = None,
    compute: Compute | None = None,
) -> RegularizationPath:
    """Score a recipe at each strength of a penalty.

    Args:
        recipe: The recipe; only the strength is changed.
        train: Training rows, without any test row.
        penalty: The penalty, as `penalty_of` finds it.
        strengths: From weak to strong.
        further: Stronger ones, which are tried as long as the penalty does no harm.
        options: Folds, repeats and metric; None: the defaults.
        compute: The device, the deadline for everything (not used for a recipe that fixes its steps), and who is told
            of the progress; True from its `progress` ends the path with the strengths that are done. None: the CPU,
            without a deadline.

    Raises:
        DataError: The recipe cannot be trained on these rows at any strength, or metric or positive class do not fit.
    """
    options, compute = options or PathOptions(), compute or Compute()
    rising = [*strengths, *further]
    require(bool(strengths) and rising == sorted(set(rising)), "one strength or more, rising", strengths=rising)
    metric = options.metric or recipe.metric
    larger_is_better = names.metric_for_task(metric, train.task, train.classes).larger_is_better
    positive = positive_class(train, options.positive)
    protocol = split.decide(train, folds=options.folds)
    splits = [split.parts(train, protocol, recipe.seed + repeat) for repeat in range(options.repeats)]
    deadline = None if recipe.steps is not None else compute.deadline
    trained, notes = _without_early_stopping(recipe)
    weakest, rounds = penalty.at(trained, strengths[0]), options.repeats * len(rising)
    trained, more_notes = _planned(weakest, train, splits[0], rounds, deadline, compute.device)

    def score(repeat: int, strength: float) -> Scored:
        one = penalty.at(trained, strength).updated(seed=recipe.seed + repeat)
        return _scores(one, train, splits[repeat], metric, positive, compute.device)

    search = PathSearch(strengths, further, options.repeats, score, larger_is_better)
    search.run(deadline, compute.progress)
    assert trained.steps is not None
    found = _result(search, recipe, penalty, metric, options, trained.steps)
    return replace(found, notes=(*notes, *more_notes, *found.notes))


def _result(
    search: PathSearch, recipe: Recipe, penalty: Penalty, metric: str, options: PathOptions, steps: int
) -> RegularizationPath:
    """The points of a search, with the best one and the choice."""
    points = search.points
    _check(points, metric)
    best, chosen = one_standard_error(points, search.larger_is_better)
    return RegularizationPath(
        penalty=penalty,
        metric=metric,
        points=points,
        best=best,
        chosen=chosen,
        folds=options.folds,
        repeats=options.repeats,
        steps=steps,
        recipe=penalty.at(recipe, chosen.strength).updated(relaid=()),
        notes=(*search.notes, *_notes_on_choice(points, best, chosen, search.strengths[-1])),
    )


def _scores(recipe: Recipe, train: Dataset, parts: Parts, metric: str, positive: str | None, device: str) -> Scored:
    """The metric of each part, on the rows that its network was trained on and on the held-out ones."""
    found = cross_validate(recipe, train, parts, Compute(device), positive=positive, learned=True)
    assert found.learned is not None
    return found.learned.values(metric, train, positive), found.values(metric, train, positive)


class PathSearch:
    """Scores one strength after another, on repeated splits.

    Args:
        strengths: From weak to strong; all are tried.
        further: Stronger ones, from weak to strong; each is tried while the strongest one so far is within one standard
            error of the best.
        repeats: Number of splits; later splits try the same strengths as the first.
        score: Gives the scores of a split and a strength.
        larger_is_better: Whether larger scores are better.

    Attributes:
        scored: Strength -> scores of its splits.
        failed: Strength -> why it cannot be trained.
        notes: Sentences that the user should read.
    """

    def __init__(
        self,
        strengths: Sequence[float],
        further: Sequence[float],
        repeats: int,
        score: Callable[[int, float], Scored],
        larger_is_better: bool,
    ) -> None:
        self.strengths, self.further, self.repeats = strengths, further, repeats
        self._score, self.larger_is_better = score, larger_is_better
        self.scored: dict[float, list[Scored]] = {}
        self.failed: dict[float, str] = {}
        self.notes: list[str] = []

    @property
    def points(self) -> list[Point]:
        """A point per strength that was tried."""
        return points_of(self.scored, self.failed)

    def run(self, deadline: float | None, progress: Progress) -> None:
        """Evaluate every strength.

        After the deadline only the requested strengths of the first repeat are still evaluated. `progress` may stop it.
        """
        most = self.repeats * (len(self.strengths) + len(self.further))
        for done, (repeat, strength) in enumerate(self._pairs()):
            needed = repeat == 0 and strength in self.strengths
            late = not needed and deadline is not None and time.monotonic() > deadline
            if late or progress(done / most, f"strength {strength:g}" + (f", split {repeat + 1}" if repeat else "")):
                self.notes.append(
                    f"The path was ended early, before strength {strength:g} of split {repeat + 1} of {self.repeats}."
                )
                return
            self._try(repeat, strength)

    def _pairs(self) -> Iterator[tuple[int, float]]:
        """Yield (repeat, strength) pairs; further strengths are added only while the strongest so far does no harm."""
        for repeat in range(self.repeats):
            for strength in self.strengths:
                yield repeat, strength
            for strength in self.further:
                if self._does_harm() if repeat == 0 else strength not in self.scored:
                    break
                yield repeat, strength

    def _try(self, repeat: int, strength: float) -> None:
        self.scored.setdefault(strength, [])
        if strength in self.failed:
            return
        try:
            self.scored[strength].append(self._score(repeat, strength))
        except DataError as error:
            # A strength at which the training diverges is a result of the path, and does not end it.
            self.failed[strength] = str(error)

    def _does_harm(self) -> bool:
        """Whether the strongest penalty so far is worse than the best by more than one standard error, or failed."""
        points = self.points
        if not math.isfinite(points[-1].validation):
            return True
        return one_standard_error(points, self.larger_is_better)[1] is not points[-1]


def _without_early_stopping(recipe: Recipe) -> tuple[Recipe, list[str]]:
    """The recipe without early stopping, so that all trainings have one length, and without recorded step changes of an
    earlier run; and notes on that."""
    kept = [method for method in recipe.regularization if type(method).name != STOPPING]
    notes = []
    if len(kept) < len(recipe.regularization):
        notes.append("Early stopping was off in the path, so that all trainings have one length; the recipe keeps it.")
    return recipe.updated(regularization=kept, relaid=()), notes


def _planned(
    recipe: Recipe, train: Dataset, parts: Parts, rounds: int, deadline: float | None, device: str
) -> tuple[Recipe, list[str]]:
    """The recipe with the steps that all trainings take, and notes on them; measured once if there is a deadline.

    Args:
        recipe: With the weakest strength.
        train: Training rows.
        parts: Of the first split.
        rounds: The most pairs of a strength and a split that are trained, each of them on all parts.
        deadline: For everything, on the scale of `time.monotonic`.
        device: A torch device.
    """
    trainer = trainer_of(recipe, Splits(train), parts[0][0], 0, device)
    own = trainer.plan(None, len(parts))
    if deadline is None:
        return own, []
    seconds = 0.0
    for _ in range(2):  # the first steps and predictions of a process take much longer than all others
        start = time.monotonic()
        cross_validate(recipe.updated(steps=1), train, parts, Compute(device), learned=True)
        seconds = time.monotonic() - start
    # Besides its steps, each round prepares, predicts all rows and calibrates: at most half of the time is kept for it.
    kept = min(rounds * seconds, max(deadline - time.monotonic(), 0.0) / 2)
    planned = trainer.plan(deadline - kept, rounds * len(parts))
    notes = []
    if recipe.epochs is not None and (planned.steps or 0) < (own.steps or 0):
        notes.append(
            f"The budget allows each training {planned.steps} of the {own.steps} steps that the recipe asks for; "
            "for a longer training another strength may be better."
        )
    return planned, notes


def _check(points: Sequence[Point], metric: str) -> None:
    """Check that some strength has a score.

    Raises:
        DataError: None has.
    """
    if not points:
        raise DataError("The path was ended before its first strength was trained; nothing was written.")
    if all(point.why for point in points):
        raise DataError(points[0].why)
    if not any(np.isfinite(point.validation) for point in points):
        raise DataError(f"The metric {metric!r} is undefined on the held-out rows; choose another with --metric.")


def _notes_on_choice(points: Sequence[Point], best: Point, chosen: Point, strongest: float) -> list[str]:
    """Notes for the user when the chosen strength is the smallest or largest one tried, or when strengths beyond the
    strongest one of the usual range were tried."""
    notes = []
    if points[-1].strength > strongest:
        notes.append(
            f"Strengths above {strongest:g} are beyond the usual range; they were tried because the strongest penalty "
            "of that range did no harm."
        )
    if best is points[0]:
        notes.append("The weakest penalty is the best; a weaker one (--low), or none, may be better.")
    if chosen is points[-1]:
        notes.append(
            "The strongest penalty is within one standard error of the best; a stronger one (--high) may be, too."
        )
    return notes

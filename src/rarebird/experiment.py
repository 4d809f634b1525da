"""Run a recipe on data: the product on one page, and the only place that knows the order of things."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch

import rarebird
from rarebird import distilling, ensemble, judging
from rarebird.artifact import Member, Model
from rarebird.checks import DataError, nearest
from rarebird.clock import Clock
from rarebird.data import duplicates, split
from rarebird.data.dataset import Dataset, Splits
from rarebird.data.split import Protocol
from rarebird.ensemble import AnyRecipe, Ensemble, Weighted
from rarebird.metrics import names
from rarebird.networks import Parts, Report, Team, train_team
from rarebird.recipe import Recipe
from rarebird.result import Result
from rarebird.training.device import choose_device
from rarebird.training.views import views

# Seconds kept for what follows training, besides the prediction and scoring of held-out and test rows: files and the report.
RESERVE = 4.0
RESERVE_SHARE = 0.02
TEST_SHARE = 0.2
# Below this share of the budget, the user is told why the run ended early.
EARLY = 0.7


@dataclass
class Outcome:
    """What a run gives.

    Attributes:
        recipe: The recipe with everything laid out, which repeats the run.
        out_of_fold: ``(n, n_outputs)`` held-out probabilities (or values), NaN for rows that were never held out; None without such rows.
        splits: The rows as they were split; `test` was judged once.
    """

    model: Model
    result: Result
    recipe: AnyRecipe
    out_of_fold: np.ndarray | None
    splits: Splits


@dataclass
class Ground:
    """What every training of a run stands on.

    Attributes:
        splits: Training, validation and test rows.
        protocol: How the training rows judge models.
        positive: Of two classes, the one that two-class figures speak of.
        notes: Sentences that the user should read.
        timings: Seconds of each part of the way.
    """

    splits: Splits
    protocol: Protocol
    positive: str | None
    device: str
    notes: list[str]
    timings: dict[str, float]

    @property
    def judged(self) -> Dataset:
        """The rows of which networks hold some out: the validation rows where there are any, else the training rows."""
        return self.splits.train if self.splits.val is None else self.splits.val

    def parts(self, seed: int) -> Parts:
        """(training rows, held-out rows) of each network. The seed decides the folds; a hold-out is the same for all."""
        return split.parts(self.splits.train, self.protocol, seed)


def run(
    recipe: AnyRecipe,
    data: Splits,
    *,
    clock: Clock | None = None,
    device: str = "auto",
    positive: str | None = None,
    test_share: float = TEST_SHARE,
    duplicate_groups: np.ndarray | None = None,
    report: Report = lambda progress, what: False,
) -> Outcome:
    """Split, train, calibrate, decide and judge.

    Args:
        recipe: What to train; what it leaves open is laid out and recorded.
        data: Rows, with validation and test rows where the data came so.
        clock: The budget, for a recipe that leaves its steps open; None: the recipe's epochs, without a limit.
        device: A torch device, or ``auto``.
        positive: For two classes, of which one precision, recall and average precision speak; None: the rarer.
        test_share: Share held out for the test where `data` has none; 0 for no test.
        duplicate_groups: `duplicates.duplicate_groups` of the training rows, where it is known already.
        report: Told of the progress 0..1 and of what is being done; True from it ends the training early, keeping what is there.

    Raises:
        DataError: The rows, their split or the recipe cannot serve.
    """
    # A recipe that lays out its steps is not bound by a clock: it gives the same run each time.
    recipes = ensemble.members(recipe)
    student = recipe.student if isinstance(recipe, Ensemble) else None
    open_steps = any(one.steps is None for one in (*(one for _, one in recipes), *([student] if student else [])))
    clock = clock if clock and open_steps else Clock()
    ground = lay_ground(recipe, data, device, positive, test_share, duplicate_groups)
    recipe = recipe.updated(folds=ground.protocol.folds, holdout=ground.protocol.holdout or None)
    with timed(ground.timings, "train"):
        deadline = clock.deadline(RESERVE + RESERVE_SHARE * (clock.budget or 0))
        teams = _train(recipe, ground, deadline, report)
        ground.notes += _ended_early(teams, clock, ground)
    recipe = (
        recipe.updated(members=[Weighted.of(team.recipe, team.weight) for team in teams])
        if isinstance(recipe, Ensemble)
        else teams[0].recipe
    )
    return conclude(recipe, ground, teams, report, clock)


def lay_ground(
    recipe: AnyRecipe, data: Splits, device: str, positive: str | None, test_share: float, duplicate_groups: np.ndarray | None
) -> Ground:
    """Split the rows and decide how they judge; arguments as in `run`."""
    timings: dict[str, float] = {}
    notes = list(data.notes)
    with timed(timings, "split"):
        splits = separate(data, recipe, test_share, notes, duplicate_groups)
        positive = _positive(splits.train, positive)
        protocol = split.decide(splits.train, splits.val, folds=recipe.folds, holdout=recipe.holdout)
        notes += _too_few(splits.train)
    return Ground(splits, protocol, positive, choose_device(device), notes, timings)


def conclude(recipe: AnyRecipe, ground: Ground, teams: Sequence[Team], report: Report, clock: Clock) -> Outcome:
    """Distil where there is a student, calibrate, decide, judge the test rows once, and put together what the run gave.

    Args:
        recipe: As it was laid out; an ensemble where there is more than one team.
        ground: What the run stands on.
        teams: The networks.
        report: Told of what is being done.
        clock: The budget.
    """
    if isinstance(recipe, Ensemble) and recipe.student is not None:
        return _distilled(recipe, recipe.student, ground, teams, report, clock)
    train, test_rows = ground.splits.train, ground.splits.test
    ground.notes += dict.fromkeys(note for team in teams for one in team.trained for note in one.notes)
    with timed(ground.timings, "calibrate and decide"):
        report(1.0, "calibrating")
        model = _model(recipe, ground, teams)
        validation, out_of_fold = judging.complete(model, ground.judged, teams)

    with timed(ground.timings, "test"):
        report(1.0, "judging the test rows")
        test = None if test_rows is None else judging.scores(model, test_rows)

    counts = [] if train.class_counts is None else train.class_counts.tolist()
    result = Result(
        kind=train.kind,
        task=train.task,
        name=train.name,
        n_train=len(train),
        n_test=0 if test_rows is None else len(test_rows),
        classes=list(train.classes),
        class_counts=dict(zip(train.classes, counts, strict=True)),
        positive=ground.positive,
        metric=recipe.metric,
        protocol=ground.protocol.reason,
        test=test,
        validation=validation,
        history=_history(teams),
        timings=ground.timings,
        versions=model.versions,
        notes=ground.notes,
    )
    return Outcome(model, result, recipe, out_of_fold, ground.splits)


def _model(recipe: AnyRecipe, ground: Ground, teams: Sequence[Team]) -> Model:
    """The teams' networks as a model, not yet calibrated."""
    train = ground.splits.train
    members = [
        Member(one.network, one.prepared, (), views(team.recipe, one.prepared.spec), place, team.weight / len(team.trained))
        for place, team in enumerate(teams)
        for one in team.trained
    ]
    return Model(recipe, members, None, train.prior, train.target, ground.positive, ground.device, versions())


def _distilled(recipe: Ensemble, student: Recipe, ground: Ground, teams: Sequence[Team], report: Report, clock: Clock) -> Outcome:
    """A student in the members' place; the recipe that repeats the run holds both."""
    with timed(ground.timings, "distil"):
        model = _model(recipe, ground, teams)
        taught, out_of_fold = judging.complete(model, ground.judged, teams)
        rows = distilling.student_rows(ground.splits, teams, model.members, ground.device, recipe.seed)
        deadline = clock.deadline(RESERVE + RESERVE_SHARE * (clock.budget or 0)) if student.steps is None else None
        laid, team = distilling.train_student(recipe, rows, deadline, ground.device, report)
    counts = ground.splits.train.class_counts
    own = replace(ground, splits=rows, protocol=replace(ground.protocol, folds=0, holdout=0.0))
    outcome = conclude(laid, own, [team], report, clock)
    result = outcome.result
    result.n_train = len(ground.splits.train)
    result.class_counts = {} if counts is None else dict(zip(ground.splits.train.classes, counts.tolist(), strict=True))
    name = recipe.metric
    before = taught.metrics.get(name)
    said = f"; on held-out rows the members had {name} {before.value:.3f}" if before is not None and before.value is not None else ""
    result.notes.append(f"{len(teams)} members were distilled to one network{said}.")
    return replace(outcome, recipe=recipe.updated(student=laid), splits=ground.splits, out_of_fold=out_of_fold)


def _train(recipe: AnyRecipe, ground: Ground, deadline: float | None, report: Report) -> list[Team]:
    """A team per recipe, each with an equal part of the time that is left; a user's end keeps what is there."""
    teams: list[Team] = []
    recipes = ensemble.members(recipe)
    for place, (weight, one) in enumerate(recipes):

        def tell(progress: float, what: str, place: int = place) -> bool:
            member = f" of member {place + 1} of {len(recipes)}" if len(recipes) > 1 else ""
            return report((place + progress) / len(recipes), what + member)

        now = time.monotonic()
        mine = None if deadline is None else now + max(deadline - now, 0.0) / (len(recipes) - place)
        # A recipe's seed is of its networks and its folds; a hold-out is the run's.
        parts = ground.parts(one.seed if ground.protocol.folds else recipe.seed)
        teams.append(train_team(one, ground.splits, parts, mine, ground.device, tell, weight))
        if teams[-1].ended_by_user:
            break
    return teams


def _history(teams: Sequence[Team]) -> list[dict[str, float]]:
    """Learning curves, a number for each network."""
    networks = [one for team in teams for one in team.trained]
    return [{"fold": float(fold), **entry} for fold, one in enumerate(networks) for entry in one.history]


def separate(data: Splits, recipe: AnyRecipe, test_share: float, notes: list[str], duplicate_groups: np.ndarray | None = None) -> Splits:
    """Training, validation and test rows; near-duplicates form groups where no groups were given, so that they do not straddle.

    Raises:
        DataError: The rows are not what the recipe is for, or a part or class of them has none left.
    """
    _check(data, recipe)
    train, val, test = data.train, data.val, data.test
    if train.group is None and (val is None or test is None):
        code = duplicates.duplicate_groups(train) if duplicate_groups is None else duplicate_groups
        repeated = len(code) - len(np.unique(code))
        if repeated:
            train = replace(train, group=code)
            notes.append(f"Rows that copy another row, or nearly so: {repeated}; each stays on one side of every split with its original.")
    train, val = _counting(train, notes), None if val is None else _counting(val, notes).aligned(train.classes)
    if test is not None:
        test = test.aligned(train.classes)
    elif test_share:
        held = split.hold_out(train, test_share, recipe.seed, "test")
        train, test = train.take(~held), train.take(held)
    counts = train.class_counts
    if counts is not None and (counts == 0).any():
        absent = train.classes[int(counts.argmin())]
        raise DataError(
            f"Class {absent!r} has no row left to train on; give more rows of it (of weight above 0), or test rows with --test."
        )
    return Splits(train, val, test, data.notes)


def _check(data: Splits, recipe: AnyRecipe) -> None:
    """What can be refused before anything is trained."""
    if recipe.kind != data.train.kind:
        raise DataError(f"The recipe is for data of kind {recipe.kind!r}, but {data.train.name} holds data of kind {data.train.kind!r}.")
    if data.train.task == "classification" and names.metric(recipe.metric, data.train.classes).needs == "values":
        raise DataError(f"The metric {recipe.metric!r} judges numbers, but the target holds classes; choose another with --metric.")
    for part, what in ((data.train, "training"), (data.val, "validation"), (data.test, "test")):
        if part is not None and (part.y is None or not len(part)):
            raise DataError(f"{part.name} has no {what} rows with labels; give some.")


def _counting(rows: Dataset, notes: list[str]) -> Dataset:
    """The rows of a weight above 0: one of weight 0 counts as if it were not there, for scales, folds and batches too."""
    nothing = rows.weights <= 0
    if not nothing.any():
        return rows
    notes.append(f"Rows of {rows.name} with a weight of 0, which are left out: {int(nothing.sum())}.")
    return rows.take(~nothing)


def versions() -> dict[str, str]:
    """Versions of what decides the numbers."""
    import platform

    import sklearn

    return {
        "rarebird": rarebird.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
    }


def _ended_early(teams: Sequence[Team], clock: Clock, ground: Ground) -> list[str]:
    """Why a training ended before it had to."""
    last = teams[-1]
    if last.ended_by_user:
        return [f"Training was ended early, at {len(last.trained)} of {max(ground.protocol.folds, 1)} networks."]
    if clock.budget is None or clock.elapsed() >= EARLY * clock.budget:
        return []
    why = {
        "epochs": f"after {last.recipe.epochs or 0:g} passes over the rows; more were not expected to help (--set epochs=N allows them).",
        "stop": "when held-out rows stopped gaining.",
    }
    ends = {one.ended for team in teams for one in team.trained}
    return [f"Training ended before the budget, {why[cause]}" for cause in why if cause in ends][:1]


def _positive(train: Dataset, positive: str | None) -> str | None:
    """The class that two-class figures speak of.

    Raises:
        DataError: No such class.
    """
    if train.task == "regression":
        return None
    if positive is not None and positive not in train.classes:
        raise DataError(f"There is no class {positive!r} to take as positive; {nearest(positive, train.classes)}")
    counts = train.class_counts
    assert counts is not None
    return positive if positive is not None or train.n_classes > 2 else train.classes[int(counts.argmin())]


def _too_few(train: Dataset) -> list[str]:
    counts = [] if train.class_counts is None else train.class_counts.tolist()
    return [
        f"Class {label!r} has {count} training row{'s' if count > 1 else ''}: it is kept, but too small to judge."
        for label, count in zip(train.classes, counts, strict=True)
        if count < 3
    ]


@contextmanager
def timed(timings: dict[str, float], name: str) -> Iterator[None]:
    """Puts the seconds of a block into `timings` under a name."""
    start = time.monotonic()
    yield
    timings[name] = round(time.monotonic() - start, 3)

"""Run a recipe on data: the product on one page, and the only place that knows the order of things."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rarebird.compression import distillation
from rarebird.core.clock import Clock
from rarebird.data.dataset import Splits
from rarebird.evaluation import held_out
from rarebird.evaluation.result import Result
from rarebird.experiment.setup import TEST_SHARE, Ground, lay_ground, timed, versions
from rarebird.model.model import Member, Model
from rarebird.recipe import ensemble
from rarebird.recipe.ensemble import AnyRecipe, Ensemble, Weighted
from rarebird.recipe.recipe import Recipe
from rarebird.training.cross_fit import Report, Team, train_team
from rarebird.training.test_time_views import views

# Seconds kept for what follows training, besides the prediction and scoring of held-out and test rows: files and the
# report.
RESERVE = 4.0
RESERVE_SHARE = 0.02
# Below this share of the budget, the user is told why the run ended early.
EARLY = 0.7


@dataclass
class Outcome:
    """What a run gives.

    Attributes:
        recipe: The recipe with everything laid out, which repeats the run.
        out_of_fold: ``(n, n_outputs)`` held-out probabilities (or values), NaN for rows that were never held out; None
            without such rows.
        splits: The rows as they were split; `test` was judged once.
    """

    model: Model
    result: Result
    recipe: AnyRecipe
    out_of_fold: np.ndarray | None
    splits: Splits


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
        report: Told of the progress 0..1 and of what is being done; True from it ends the training early, keeping what
            is there.

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
        validation, out_of_fold = held_out.complete(model, ground.judged, teams)

    with timed(ground.timings, "test"):
        report(1.0, "judging the test rows")
        test = None if test_rows is None else held_out.scores(model, test_rows)

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
        Member(
            one.network, one.prepared, (), views(team.recipe, one.prepared.spec), place, team.weight / len(team.trained)
        )
        for place, team in enumerate(teams)
        for one in team.trained
    ]
    return Model(recipe, members, None, train.prior, train.target, ground.positive, ground.device, versions())


def _distilled(
    recipe: Ensemble, student: Recipe, ground: Ground, teams: Sequence[Team], report: Report, clock: Clock
) -> Outcome:
    """A student in the members' place; the recipe that repeats the run holds both."""
    with timed(ground.timings, "distil"):
        model = _model(recipe, ground, teams)
        taught, out_of_fold = held_out.complete(model, ground.judged, teams)
        rows = distillation.student_rows(ground.splits, teams, model.members, ground.device, recipe.seed)
        deadline = clock.deadline(RESERVE + RESERVE_SHARE * (clock.budget or 0)) if student.steps is None else None
        laid, team = distillation.train_student(recipe, rows, deadline, ground.device, report)
    counts = ground.splits.train.class_counts
    own = replace(ground, splits=rows, protocol=replace(ground.protocol, folds=0, holdout=0.0))
    outcome = conclude(laid, own, [team], report, clock)
    result = outcome.result
    result.n_train = len(ground.splits.train)
    result.class_counts = {} if counts is None else dict(zip(ground.splits.train.classes, counts.tolist(), strict=True))
    name = recipe.metric
    before = taught.metrics.get(name)
    said = (
        f"; on held-out rows the members had {name} {before.value:.3f}"
        if before is not None and before.value is not None
        else ""
    )
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

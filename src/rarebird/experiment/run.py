"""Run a recipe on data: the product on one page, and the only place that knows the order of things."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rarebird.compression import distillation
from rarebird.core.clock import Clock, timed
from rarebird.core.compute import Compute
from rarebird.core.progress import Progress, part_of, silent
from rarebird.data.dataset import Splits
from rarebird.evaluation import held_out
from rarebird.evaluation.held_outputs import members_of
from rarebird.evaluation.result import Result, Scores, Tried
from rarebird.experiment.setup import TEST_SHARE, Setup, prepare_run, versions
from rarebird.model.model import Model
from rarebird.recipe import ensemble
from rarebird.recipe.ensemble import AnyRecipe, Ensemble, Weighted
from rarebird.recipe.recipe import Recipe
from rarebird.training.cross_fit import CrossFit, cross_fit_all


@dataclass(frozen=True)
class Outcome:
    """What a run gives.

    Attributes:
        model: What predicts.
        result: What was found, with scores and notes.
        recipe: The recipe with everything laid out, which repeats the run.
        out_of_fold: ``(n, n_outputs)`` held-out probabilities (or values), NaN for rows that were never held out; None
            without such rows.
        splits: The rows as they were split; `test` was scored once.
        report: The page of the run, where a folder was written.
        first_screen: The page's first screen as HTML, for a notebook.
    """

    model: Model
    result: Result
    recipe: AnyRecipe
    out_of_fold: np.ndarray | None
    splits: Splits
    report: Path | None = None
    first_screen: str | None = None

    def _repr_html_(self) -> str | None:
        return self.first_screen


def run(
    recipe: AnyRecipe,
    data: Splits,
    *,
    clock: Clock | None = None,
    device: str = "auto",
    positive: str | None = None,
    test_share: float = TEST_SHARE,
    duplicate_groups: np.ndarray | None = None,
    progress: Progress = silent,
) -> Outcome:
    """Split, train, calibrate, decide and score.

    Args:
        recipe: What to train; what it leaves open is laid out and recorded.
        data: Rows, with validation and test rows where the data came so.
        clock: The budget, for a recipe that leaves its steps open; None: the recipe's epochs, without a limit.
        device: A torch device, or ``auto``.
        positive: Of two classes, the one that precision, recall and average precision are for; None: the rarer.
        test_share: Share held out for the test where `data` has none; 0 for no test.
        duplicate_groups: `duplicates.duplicate_groups` of the training rows, where it is known already.
        progress: Told of the share done and of what is being done; True from it ends the training early, keeping what
            there is.

    Raises:
        DataError: The rows, their split or the recipe cannot serve.
    """
    # A recipe that lays out its steps is not bound by a clock: it gives the same run each time.
    clock = clock if clock and _has_open_steps(recipe) else Clock()
    timings: dict[str, float] = {}
    with timed(timings, "split"):
        setup = prepare_run(
            recipe, data, device=device, positive=positive, test_share=test_share, duplicate_groups=duplicate_groups
        )
    recipe = recipe.updated(folds=setup.protocol.folds, holdout=setup.protocol.holdout or None)
    with timed(timings, "train"):
        fits = _train(recipe, setup, Compute(setup.device, clock.training_deadline(), progress))
        notes = _ended_early(fits, clock, setup)
    if isinstance(recipe, Ensemble):
        recipe = recipe.updated(members=[Weighted.of(models.recipe, models.weight) for models in fits])
    else:
        recipe = fits[0].recipe
    return finish(recipe, setup, fits, clock, progress, timings=timings, notes=notes)


def finish(
    recipe: AnyRecipe,
    setup: Setup,
    fits: Sequence[CrossFit],
    clock: Clock,
    progress: Progress,
    *,
    timings: dict[str, float],
    notes: Sequence[str] = (),
    tried: Sequence[Tried] = (),
) -> Outcome:
    """Distil where there is a student, calibrate, decide, and score the test rows once.

    Args:
        recipe: As it was laid out; an ensemble where there are several recipes.
        setup: What the trainings shared.
        fits: The trained networks by recipe.
        clock: The budget.
        progress: Told of what is being done.
        timings: Seconds of each part so far.
        notes: Sentences on the training, for the user.
        tried: What a search tried.
    """
    if isinstance(recipe, Ensemble) and recipe.student is not None:
        outcome = _distilled(recipe, setup, fits, clock, progress, timings)
        own = (*setup.splits.notes, *notes, *outcome.result.notes)
        return replace(outcome, result=outcome.result.model_copy(update={"notes": own, "tried": tuple(tried)}))
    trained = dict.fromkeys(note for models in fits for one in models.trained for note in one.notes)
    with timed(timings, "calibrate and decide"):
        progress(1.0, "calibrating")
        model, validation, out_of_fold = held_out.complete(_model(recipe, setup, fits), setup.judging_rows, fits)
    with timed(timings, "test"):
        progress(1.0, "judging the test rows")
        test_rows = setup.splits.test
        test = None if test_rows is None else held_out.scores(model, test_rows)
    result = _result(recipe, setup, fits, model, validation, test).model_copy(
        update={"timings": timings, "notes": (*setup.splits.notes, *notes, *trained), "tried": tuple(tried)}
    )
    return Outcome(model, result, recipe, out_of_fold, setup.splits)


def _has_open_steps(recipe: AnyRecipe) -> bool:
    recipes = [one for _, one in ensemble.members(recipe)]
    if isinstance(recipe, Ensemble) and recipe.student is not None:
        recipes.append(recipe.student)
    return any(one.steps is None for one in recipes)


def _train(recipe: AnyRecipe, setup: Setup, compute: Compute) -> list[CrossFit]:
    """The networks of each recipe, each with an equal part of the time that is left."""
    fits: list[CrossFit] = []
    recipes = ensemble.members(recipe)
    for place, (weight, one) in enumerate(recipes):
        member = f" of member {place + 1} of {len(recipes)}" if len(recipes) > 1 else ""
        now, ends = time.monotonic(), compute.deadline
        own = Compute(
            compute.device,
            None if ends is None else now + max(ends - now, 0.0) / (len(recipes) - place),
            part_of(compute.progress, place / len(recipes), 1 / len(recipes), member),
        )
        # A recipe's seed is for its networks and its folds; a hold-out is the run's.
        parts = setup.parts(one.seed if setup.protocol.folds else recipe.seed)
        fits.append(cross_fit_all(one, setup.splits, parts, own, weight))
        if fits[-1].ended_by_user:
            break
    return fits


def _model(recipe: AnyRecipe, setup: Setup, fits: Sequence[CrossFit]) -> Model:
    """The networks as a model, not yet calibrated."""
    train = setup.splits.train
    members = [member for place, models in enumerate(fits) for member in members_of(models, place)]
    return Model(recipe, members, None, train.prior, train.target, setup.positive, setup.device, versions())


def _result(
    recipe: AnyRecipe, setup: Setup, fits: Sequence[CrossFit], model: Model, validation: Scores, test: Scores | None
) -> Result:
    """What is known of a run after its last score; notes and timings are added to it."""
    train, test_rows = setup.splits.train, setup.splits.test
    counts = [] if train.class_counts is None else train.class_counts.tolist()
    return Result(
        kind=train.kind,
        task=train.task,
        name=train.name,
        n_train=len(train),
        n_test=0 if test_rows is None else len(test_rows),
        classes=list(train.classes),
        class_counts=dict(zip(train.classes, counts, strict=True)),
        positive=setup.positive,
        metric=recipe.metric,
        protocol=setup.protocol.reason,
        test=test,
        validation=validation,
        history=_history(fits),
        versions=model.versions,
    )


def _distilled(
    recipe: Ensemble,
    setup: Setup,
    fits: Sequence[CrossFit],
    clock: Clock,
    progress: Progress,
    timings: dict[str, float],
) -> Outcome:
    """A student in the members' place; the recipe that repeats the run holds both."""
    student: Recipe | None = recipe.student
    assert student is not None
    with timed(timings, "distil"):
        teachers, validation, out_of_fold = held_out.complete(_model(recipe, setup, fits), setup.judging_rows, fits)
        rows = distillation.student_rows(setup.splits, fits, teachers.members, setup.device, recipe.seed)
        deadline = clock.training_deadline() if student.steps is None else None
        models = distillation.train_student(student, rows, Compute(setup.device, deadline, progress))
    own = replace(setup, splits=replace(rows, notes=()), protocol=replace(setup.protocol, folds=0, holdout=0.0))
    outcome = finish(models.recipe, own, [models], clock, progress, timings=timings)
    train, before = setup.splits.train, validation.metrics.get(recipe.metric)
    known = before is not None and before.value is not None
    taught = f"; on held-out rows the members had {recipe.metric} {before.value:.3f}" if before and known else ""
    counts = [] if train.class_counts is None else train.class_counts.tolist()
    result = outcome.result.model_copy(
        update={
            "n_train": len(train),
            "class_counts": dict(zip(train.classes, counts, strict=True)),
            "notes": (*outcome.result.notes, f"{len(fits)} members were distilled to one network{taught}."),
        }
    )
    return replace(
        outcome,
        result=result,
        recipe=recipe.updated(student=models.recipe),
        splits=setup.splits,
        out_of_fold=out_of_fold,
    )


def _history(fits: Sequence[CrossFit]) -> list[dict[str, float]]:
    """Learning curves, with a number for each network."""
    networks = [one for models in fits for one in models.trained]
    return [{"fold": float(fold), **entry} for fold, one in enumerate(networks) for entry in one.history]


def _ended_early(fits: Sequence[CrossFit], clock: Clock, setup: Setup) -> list[str]:
    """Why a training ended before it had to."""
    last = fits[-1]
    if last.ended_by_user:
        return [f"Training was ended early, at {len(last.trained)} of {max(setup.protocol.folds, 1)} networks."]
    if not clock.ends_early():
        return []
    epochs = last.recipe.epochs or 0
    why = {
        "epochs": f"after {epochs:g} passes over the rows; more were not expected to help (--set epochs=N allows "
        "them).",
        "stop": "when held-out rows stopped gaining.",
    }
    ends = {one.ended for models in fits for one in models.trained}
    return [f"Training ended before the budget, {why[cause]}" for cause in why if cause in ends][:1]

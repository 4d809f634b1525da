"""Runs a recipe on rows: split, train, calibrate, decide, score. This order is written down only here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rarebird.compression import distillation
from rarebird.core.clock import Clock, timed
from rarebird.core.compute import Compute
from rarebird.core.progress import Progress, silent
from rarebird.data.dataset import Splits
from rarebird.data.model_schema import used_schema
from rarebird.evaluation import held_out
from rarebird.evaluation.complete import Completed, complete
from rarebird.evaluation.cut_off import cut_off
from rarebird.evaluation.decision_scores import decision_summary
from rarebird.evaluation.held_outputs import members_of, notes_on_unseen_classes
from rarebird.evaluation.predicted_rows import TEST, PredictedRows, held_out_rows
from rarebird.evaluation.result import Result, Scores
from rarebird.evaluation.score_rows import score_rows
from rarebird.evaluation.search_history import Tried
from rarebird.evaluation.shift import shift_of_given_rows
from rarebird.evaluation.uncalibrated import with_uncalibrated
from rarebird.experiment.copies import Copies
from rarebird.experiment.gate import gated, with_synthesis
from rarebird.experiment.joining import with_sources_of
from rarebird.experiment.protocol import judging_rows
from rarebird.experiment.row_parts import row_parts
from rarebird.experiment.setup import SEARCHED, TEST_SHARE, Setup, prepare_run, versions
from rarebird.experiment.steps_taken import ended_early, steps_taken
from rarebird.experiment.training import shared_cost, train, training_clock
from rarebird.model.model import Model
from rarebird.recipe.ensemble import AnyRecipe, Ensemble, Weighted
from rarebird.recipe.recipe import Recipe
from rarebird.training import distributed
from rarebird.training.cross_fit import CrossFit


@dataclass(frozen=True)
class Outcome:
    """The outcome of a run.

    Attributes:
        model: The fitted model.
        result: Scores and notes.
        recipe: The recipe with every open field filled in, which repeats the run.
        out_of_fold: ``(n, n_outputs)`` held-out probabilities (or values), NaN for rows that were never held out; None
            without such rows.
        splits: The split rows; `test` was scored once.
        test_rows, held_out_rows: The scored rows with their predictions; None for a run without such rows.
        report, first_screen: The page of the run, if a folder was written, and its first screen for a notebook.
    """

    model: Model
    result: Result
    recipe: AnyRecipe
    out_of_fold: np.ndarray | None
    splits: Splits
    test_rows: PredictedRows | None = None
    held_out_rows: PredictedRows | None = None
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
    copies: Copies | None = SEARCHED,
    progress: Progress = silent,
) -> Outcome:
    """Split, train, calibrate, decide and score.

    Args:
        recipe: What to train; its open fields are filled in and recorded.
        data: Training rows; validation and test rows if the data have them.
        clock: The budget, for a recipe whose steps are open; None: the recipe's epochs, without a limit.
        device: A torch device, or ``auto``.
        positive: The class that precision, recall and average precision of two classes are for; None: the rarer one.
        test_share: Share held out for the test where `data` has none; 0 for no test.
        copies: What becomes of rows that copy one another; None: the rows were separated already.
        progress: Called with the share done and a description; if it returns True, the training ends early, and the
            networks trained so far are used.

    Raises:
        DataError: The rows, their split or the recipe cannot be used.
    """
    timings: dict[str, float] = {}
    with timed(timings, "split"):
        setup = prepare_run(recipe, data, device=device, positive=positive, test_share=test_share, copies=copies)
    return run_in(setup, recipe, clock, progress, timings)


def run_in(
    setup: Setup,
    recipe: AnyRecipe,
    clock: Clock | None,
    progress: Progress,
    timings: dict[str, float],
    checkpoints: Path | None = None,
) -> Outcome:
    """`run` after the split: train, calibrate, decide and score; of several ranks, by the first one.

    Args:
        setup: What all trainings share.
        recipe: What to train.
        clock: As in `run`.
        progress: As in `run`.
        timings: Seconds of each part of the run so far.
        checkpoints: As in `Compute`.
    """
    recipe, clock = setup.settled(recipe), training_clock(recipe, clock)
    # Of several ranks, all have a deadline or none.
    deadline = distributed.agreed(clock.training_deadline())
    compute = Compute(setup.device, deadline, progress, checkpoints)
    with timed(timings, "train"):
        recipe, verdicts = gated(recipe, setup, compute)
        fits = train(recipe, setup, compute)
        # What follows, this process does alone.
        cost = shared_cost()
        distributed.leave()
        notes = ended_early(fits, clock, setup)
    if isinstance(recipe, Ensemble):
        recipe = recipe.updated(members=[Weighted.of(models.recipe, models.weight) for models in fits])
    else:
        recipe = fits[0].recipe
    outcome = finish(recipe, setup, fits, clock, progress, timings=timings, notes=notes)
    result = with_sources_of(fits, outcome.result, setup.splits, recipe.seed).model_copy(update={"cost": cost})
    return replace(outcome, result=with_synthesis(result, verdicts))


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
        recipe: With every open field filled in; an ensemble of all recipes if there are several.
        setup: What all trainings shared.
        fits: The trained networks by recipe.
        clock: The budget.
        progress: Called with a description of each step.
        timings: Seconds of each part of the run so far.
        notes, tried: Sentences on the training, for the user; the recipes that a search tried.
    """
    if isinstance(recipe, Ensemble) and recipe.student is not None:
        outcome = _distil(recipe, setup, fits, clock, progress, timings)
        all_notes = (*setup.splits.notes, *notes, *outcome.result.notes)
        return replace(outcome, result=outcome.result.model_copy(update={"notes": all_notes, "tried": tuple(tried)}))
    training_notes = dict.fromkeys(note for models in fits for one in models.trained for note in one.notes)
    with timed(timings, "calibrate and decide"):
        progress(1.0, "calibrating")
        completed = _complete(recipe, setup, fits)
        model = completed.model
        held = held_out_rows(completed, setup.scored_rows, fits, setup.splits.val is not None)
        validation = held_out.scores_of_outputs(model, held.rows, held.outputs, held.labels)
        validation = with_uncalibrated(validation, held, _uncalibrated(completed))
        unseen = notes_on_unseen_classes(held.rows, setup.splits.train)
    with timed(timings, "test"):
        progress(1.0, "scoring the test rows")
        rows = setup.splits.test
        test, scores = (None, None) if rows is None else score_rows(model, rows, TEST)
    result = _result(recipe, setup, fits, model, validation, scores).model_copy(
        update={
            "timings": timings,
            "notes": (*setup.splits.notes, *notes, *training_notes, *unseen),
            "tried": tuple(tried),
        }
    )
    return Outcome(model, result, recipe, completed.outputs, setup.splits, test, held)


def _complete(recipe: AnyRecipe, setup: Setup, fits: Sequence[CrossFit]) -> Completed:
    """The calibrated model, and its predictions for the held-out rows."""
    return complete(_model(recipe, setup, fits), setup.scored_rows, fits, row_parts(setup, recipe.seed))


def _uncalibrated(completed: Completed) -> np.ndarray | None:
    """``(n, n_classes)`` probabilities of the held-out rows before calibration."""
    raw = completed.uncalibrated
    return None if raw is None else raw[np.isfinite(completed.outputs).all(axis=1)]


def _model(recipe: AnyRecipe, setup: Setup, fits: Sequence[CrossFit]) -> Model:
    """The networks as a model without calibrations."""
    train = setup.splits.train
    members = [member for place, models in enumerate(fits) for member in members_of(models, place)]
    return Model(
        recipe,
        members,
        None,
        train.prior,
        train.target,
        setup.positive,
        setup.device,
        versions(),
        schema=used_schema(train, [member.prepared.table for member in members]),
    )


def _result(
    recipe: AnyRecipe, setup: Setup, fits: Sequence[CrossFit], model: Model, validation: Scores, test: Scores | None
) -> Result:
    """The result of a run without notes and timings, which `finish` adds."""
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
        cut_off=cut_off(model),
        decision=decision_summary(model.decision, train.classes),
        steps=steps_taken(fits, train),
        shift=shift_of_given_rows(setup.splits, model.members[0].prepared, recipe.seed),
        protocol=judging_rows(setup, fits),
        test=test,
        validation=validation,
        history=_history(fits),
        versions=model.versions,
    )


def _distil(
    recipe: Ensemble,
    setup: Setup,
    fits: Sequence[CrossFit],
    clock: Clock,
    progress: Progress,
    timings: dict[str, float],
) -> Outcome:
    """Train a student, which replaces the members in the model; the recipe that repeats the run has both."""
    student: Recipe | None = recipe.student
    assert student is not None
    with timed(timings, "distil"):
        teachers = _complete(recipe, setup, fits)
        held = held_out_rows(teachers, setup.scored_rows, fits, setup.splits.val is not None)
        validation = held_out.scores_of_outputs(teachers.model, held.rows, held.outputs, held.labels)
        rows = distillation.student_rows(setup.splits, fits, teachers.model.members, setup.device, recipe.seed)
        deadline = clock.training_deadline() if student.steps is None else None
        student = student.updated(folds=0, holdout=distillation.common_holdout(setup.splits, fits, recipe.seed))
        models = distillation.train_student(student, rows, Compute(setup.device, deadline, progress))
    no_parts = replace(setup.protocol, folds=0, holdout=0.0)
    student_setup = replace(setup, splits=replace(rows, notes=()), protocol=no_parts)
    outcome = finish(models.recipe, student_setup, [models], clock, progress, timings=timings)
    train, score = setup.splits.train, validation.metrics.get(recipe.metric)
    known = score is not None and score.value is not None
    members_score = f"; on held-out rows the members had {recipe.metric} {score.value:.3f}" if score and known else ""
    counts = [] if train.class_counts is None else train.class_counts.tolist()
    result = outcome.result.model_copy(
        update={
            "n_train": len(train),
            "class_counts": dict(zip(train.classes, counts, strict=True)),
            "notes": (*outcome.result.notes, f"{len(fits)} members were distilled to one network{members_score}."),
        }
    )
    return replace(
        outcome,
        result=result,
        recipe=recipe.updated(student=models.recipe),
        splits=setup.splits,
        out_of_fold=teachers.outputs,
    )


def _history(fits: Sequence[CrossFit]) -> list[dict[str, float]]:
    """The learning curves of all networks; `fold` numbers the networks."""
    networks = [one for models in fits for one in models.trained]
    return [{"fold": float(fold), **entry} for fold, one in enumerate(networks) for entry in one.history]

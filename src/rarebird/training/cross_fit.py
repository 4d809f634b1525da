"""Trains the models of one recipe: one model per part of the training rows, scored on rows that it did not learn
from."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rarebird.core.atomic_files import whole_file
from rarebird.core.compute import Compute
from rarebird.core.progress import part_of
from rarebird.data.dataset import Splits
from rarebird.recipe.recipe import Recipe
from rarebird.training import distributed
from rarebird.training.checkpoint import Checkpoint
from rarebird.training.network_trainer import NetworkTrainer
from rarebird.training.part_progress import PartProgress
from rarebird.training.part_seconds import LONGEST_OVERRUN, affordable_models, seconds_after_training
from rarebird.training.pretraining import learns
from rarebird.training.reference_trainer import ReferenceTrainer
from rarebird.training.resolution import at_affordable_size, at_largest_size
from rarebird.training.rows_at_once import in_memory, is_sampled, of_all_rows, sampled
from rarebird.training.solved_trainer import SolvedTrainer
from rarebird.training.synthesis import planned
from rarebird.training.trainer import Trained, Trainer, TrainingPlan, part_deadline_of
from rarebird.training.watched_rows import some, split_off_watched

# Beside the checkpoints of a cross-fit: its recipe with the planned steps.
PLANNED = "planned.toml"
# Per model, the positions of the rows that it learns from, and of the rows that it holds out.
Parts = Sequence[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class CrossFit:
    """The trained models of one recipe, one per part of the training rows.

    Attributes:
        recipe: The recipe with every open field filled in.
        trained: The models.
        held_rows: Per model, the positions of its held-out rows: among the validation rows where these are given, else
            among the training rows. A model that is judged by its exact leave-one-out outputs learned from these rows;
            its `own_outputs` are theirs.
        weight: The recipe's weight in an ensemble, relative to the weights of the other recipes.
        ended_by_user: Whether the user ended the training before all parts had a model.
        ended_by_clock: Whether there was too little time for a model of each part.
    """

    recipe: Recipe
    trained: Sequence[Trained] = ()
    held_rows: Sequence[np.ndarray] = ()
    weight: float = 1.0
    ended_by_user: bool = False
    ended_by_clock: bool = False

    def unseen_rows(self, place: int) -> np.ndarray:
        """Positions of the held-out rows that a model never learned from: none where leave-one-out outputs judge it."""
        rows = self.held_rows[place]
        return rows if self.trained[place].own_outputs is None else rows[:0]


def cross_fit(
    recipe: Recipe,
    splits: Splits,
    parts: Parts,
    compute: Compute,
    *,
    enough: float = 0.0,
    share: float = 1.0,
    curve: bool = True,
    most: int | None = None,
) -> Iterator[CrossFit]:
    """Train one model per part. The first model is measured, and this measurement fixes the steps of all models.

    Args:
        recipe: What to train; its open fields are filled in.
        splits: Training rows; if validation rows are given, models are scored on these.
        parts: Per model, the rows that it learns from, and the rows that it holds out.
        compute: Its deadline includes prediction and scoring.
        enough: Smallest share of the recipe's own steps that must fit into the time; if less fits, nothing is trained.
        share: Share of its own steps (or rounds) that a recipe gets; one with given steps keeps them.
        curve: Whether held-out rows are scored for the learning curve; no decision depends on it.
        most: Models are trained on this number of parts, the first ones; None: on all for whose rows there is time.

    Yields:
        All models so far, after each one; nothing where too few steps fit. A caller that stops ends the trainings.
    """
    models, replayed = CrossFit(recipe), _replayed(recipe, parts)
    deadline, given_steps, count = compute.deadline, recipe.steps, min(len(parts), most or len(parts))
    for fold, (part, changes) in enumerate(zip(parts, replayed, strict=False)):
        start = time.monotonic()
        recipe, trainer, learned = _sized_trainer(recipe, splits, parts, fold, compute, curve)
        built = time.monotonic() - start  # seconds
        if fold == 0:
            count, deadline = _within(deadline, trainer, built, splits, parts[:count])
            planned = _kept_plan(compute) or _planned(recipe, trainer, deadline, (built, count), share)
            recipe = _keep_plan(compute, distributed.agreed(planned))
            if (recipe.steps or 0) < enough * trainer.own_steps or (enough and not trainer.fits(deadline, count)):
                return
        on_step = PartProgress(compute, fold, count)
        ends = part_deadline_of(deadline, trainer, time.monotonic(), count - fold)
        kept = None if compute.checkpoints is None else Checkpoint(compute.checkpoints, f"fold_{fold}")
        trained = trainer.run(TrainingPlan(recipe, ends, changes, given_steps, kept, on_step.on_pretraining), on_step)
        del trainer  # frees its rows before those of the next fold are prepared
        is_last = fold + 1 >= count or (deadline is not None and time.monotonic() + built > deadline + LONGEST_OVERRUN)
        is_last, by_user = distributed.agreed((is_last, on_step.ended))
        by_clock = is_last and fold + 1 < len(replayed) and not by_user
        models = _with_model(models, splits, part, learned, trained, (by_user, by_clock))
        yield replace(models, recipe=_record_changes(recipe, models.trained, len(parts)))
        if by_user or is_last:
            return


def _sized_trainer(
    recipe: Recipe, splits: Splits, parts: Parts, fold: int, compute: Compute, curve: bool
) -> tuple[Recipe, Trainer, np.ndarray]:
    """The trainer of a part and the positions of its rows; the first part's decides, by the time, in which size a
    pretrained network sees its pictures."""
    deadline = compute.deadline
    if fold == 0:
        if deadline is None:
            recipe = at_largest_size(recipe, splits)
        else:
            left = max(deadline - time.monotonic(), 0.0)
            recipe = planned(recipe, splits.train.take(parts[0][0]), compute, len(parts), left)
    # A generator that learns first is told as the state before the part's own steps.
    compute = replace(compute, progress=part_of(compute.progress, fold / len(parts), 0.0))
    trainer, learned = _trainer(recipe, splits, parts[fold], fold, compute, curve)
    if fold or deadline is None:
        return recipe, trainer, learned
    sized = distributed.agreed(at_affordable_size(recipe, trainer, splits, parts, deadline))
    if sized == recipe:
        return recipe, trainer, learned
    return sized, *_trainer(sized, splits, parts[0], 0, compute, curve)


def _replayed(recipe: Recipe, parts: Parts) -> Sequence[Sequence[tuple[int, int]]]:
    """The changes that each training repeats; those of a run that was ended early are for its trained models alone."""
    return recipe.relaid or ((),) * len(parts)


def _planned(
    recipe: Recipe, trainer: Trainer, deadline: float | None, preparation: tuple[float, int], share: float
) -> Recipe:
    """The recipe as the trainer plans it, with a share of its own steps.

    Args:
        recipe: What to train.
        trainer: Of the first model.
        deadline: When all trainings must have ended.
        preparation: Seconds to prepare the rows of a model, and the number of models.
        share: As in `cross_fit`.
    """
    built, count = preparation
    planned = trainer.plan(None if deadline is None else deadline - built * (count - 1), count)
    return planned if recipe.steps is not None else _shortened(planned, share)


def _kept_plan(compute: Compute) -> Recipe | None:
    """The recipe with the steps that were planned before, for trainings that are resumed; None for others."""
    file = None if compute.checkpoints is None else compute.checkpoints / PLANNED
    text = distributed.agreed(file.read_text(encoding="utf-8") if file is not None and file.is_file() else None)
    return None if text is None else Recipe.from_toml(text)


def _keep_plan(compute: Compute, recipe: Recipe) -> Recipe:
    """The recipe, written beside the checkpoints."""
    if compute.checkpoints is not None and distributed.rank() == 0:
        compute.checkpoints.mkdir(parents=True, exist_ok=True)
        with whole_file(compute.checkpoints / PLANNED) as building:
            building.write_text(recipe.to_toml(), encoding="utf-8")
    return recipe


def _with_model(
    models: CrossFit,
    splits: Splits,
    part: tuple[np.ndarray, np.ndarray],
    learned: np.ndarray,
    trained: Trained,
    ended: tuple[bool, bool],
) -> CrossFit:
    """The models so far and one more, with its held-out rows; and whether user or clock ended the trainings with it."""
    (fit, held), (by_user, by_clock) = part, ended
    trained = of_all_rows(trained, models.recipe, splits.train, fit, learned)
    held = held if splits.val is None else np.arange(len(splits.val))
    trained = replace(trained, own_outputs=_own_outputs_of(splits, held, learned, trained))
    return replace(
        models,
        trained=[*models.trained, trained],
        held_rows=[*models.held_rows, held],
        ended_by_user=by_user,
        ended_by_clock=by_clock,
    )


def _within(
    deadline: float | None, trainer: Trainer, built: float, splits: Splits, parts: Parts
) -> tuple[int, float | None]:
    """How many models are trained, and when they must be ready; of several ranks, as the first one measures it."""
    count = len(parts)
    if deadline is not None:
        count = affordable_models(deadline, trainer, built, splits, parts)
        deadline -= seconds_after_training(deadline, trainer, splits, parts[:count])
    return distributed.agreed((count, deadline))


def cross_fit_all(recipe: Recipe, splits: Splits, parts: Parts, compute: Compute, weight: float = 1.0) -> CrossFit:
    """All models of a recipe; arguments as in `cross_fit`."""
    *_, models = CrossFit(recipe), *cross_fit(recipe, splits, parts, compute)
    return replace(models, weight=weight)


def parts_of(recipe: Recipe, splits: Splits, parts: Parts) -> Parts:
    """The parts on which a recipe's models are trained: the given ones, or one model of all rows.

    A head with leave-one-out outputs learns from all rows, and these outputs hold out every one of them: also where
    other recipes have one hold-out, whose few rare rows would be too few for a calibration. Where rows have a time, a
    later row must not help to predict an earlier one; of a table on disk a head learns from a sample; resampled and
    synthetic rows hide of which rows they are made; rows of other sources are weighted by all training rows; features
    that are learned without labels are learned from all training rows; and given validation rows judge: then parts are
    as given.
    """
    is_judged_by_own = recipe.head is not None and recipe.reference is None and recipe.resampling is None
    is_judged_by_own = is_judged_by_own and recipe.external is None and recipe.synthesis is None
    is_judged_by_own = is_judged_by_own and not (learns(recipe) and splits.unlabeled is None)
    is_judged_by_own = is_judged_by_own and not is_sampled(recipe, splits.train)
    if not is_judged_by_own or splits.val is not None or splits.train.time is not None or not parts:
        return parts
    everything = np.arange(len(splits.train))
    return [(everything, everything)]


def trainer_of(recipe: Recipe, splits: Splits, learned: np.ndarray, fold: int, device: str) -> Trainer:
    """The trainer of one model, without a learning curve.

    Args:
        recipe: What to train.
        splits: Training rows, and rows of other sources.
        learned: Positions of the rows for its training; a recipe that watches rows sets some of them aside.
        fold: The number of the part.
        device: A torch device.
    """
    alone = Splits(splits.train, outside=splits.outside, unlabeled=splits.unlabeled)
    trainer, _ = _trainer(recipe, alone, (learned, learned[:0]), fold, Compute(device), curve=False)
    return trainer


def _trainer(
    recipe: Recipe, splits: Splits, part: tuple[np.ndarray, np.ndarray], fold: int, compute: Compute, curve: bool
) -> tuple[Trainer, np.ndarray]:
    """The trainer of one part, and the positions of the rows that it learns from."""
    train, outside, (fit, held) = splits.train, splits.outside, part
    device, progress = compute.device, compute.progress
    watched = fit[:0]
    if recipe.reference is None and recipe.head is None:
        fit, watched = split_off_watched(recipe, train, fit)
    at_once = is_sampled(recipe, train)
    fit = fit[sampled(train.take(fit), recipe.seed)] if at_once else fit
    rows = in_memory(train.take(fit)) if at_once else train.take(fit)
    if recipe.reference is not None:
        return ReferenceTrainer(recipe, rows, fold, outside, progress), fit
    if recipe.head is not None:
        return SolvedTrainer(recipe, rows, fold, device, outside, progress, splits.unlabeled), fit
    seen = train.take(watched)
    if curve and not len(watched):
        seen = some(train.take(held) if splits.val is None else splits.val, recipe.seed)
    given = (outside, progress, splits.unlabeled)
    return NetworkTrainer(recipe, rows, seen, fold, device, *given), fit


def _shortened(recipe: Recipe, share: float) -> Recipe:
    """The recipe with a share of its planned steps, those of a pretraining included, at least one."""
    if share == 1:
        return recipe
    if learns(recipe):
        transfer: Any = recipe.transfer
        steps = max(1, round(share * (transfer.steps or 0)))
        recipe = recipe.updated(transfer=transfer.model_copy(update={"steps": steps}))
    return recipe.updated(steps=max(1, round(share * (recipe.steps or 0))))


def _own_outputs_of(splits: Splits, held: np.ndarray, learned: np.ndarray, trained: Trained) -> np.ndarray | None:
    """The leave-one-out outputs of the held-out rows, if the model learned from these; else None: it predicts them."""
    if trained.own_outputs is None or splits.val is not None or not len(held):
        return None
    place = np.full(len(splits.train), -1)
    place[learned] = np.arange(len(learned))
    own: np.ndarray = trained.own_outputs[place[held]]
    return own if (place[held] >= 0).all() else None


def _record_changes(recipe: Recipe, trained: Sequence[Trained], parts: int) -> Recipe:
    """The recipe with the changes of steps that the clock and the user made, so that a replay repeats them."""
    changes = tuple(tuple(one.changes) for one in trained)
    return recipe.updated(relaid=changes if any(changes) or len(changes) < parts else ())

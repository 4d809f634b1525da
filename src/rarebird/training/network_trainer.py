"""Trains one network of a recipe on given rows, from `prepare` to the last step."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from rarebird.core import rng
from rarebird.core.compute import Compute
from rarebird.core.progress import Progress, silent
from rarebird.data.dataset import Dataset, Outside, Unlabeled
from rarebird.recipe.recipe import Recipe
from rarebird.slots.protocols import TargetStatistics, TrainStatistics
from rarebird.training import adapters, distributed
from rarebird.training.batches import Rows
from rarebird.training.device import Placement, threads
from rarebird.training.inference import embedded, is_frozen_before_head, logits, placement, rows_at_once
from rarebird.training.initial_network import InitialNetwork
from rarebird.training.joining import join
from rarebird.training.loop import Training
from rarebird.training.memory import check_memory, check_savings, is_large
from rarebird.training.preparation import prepared
from rarebird.training.prior_factor import stage_prior_factor
from rarebird.training.stage import merged, stages
from rarebird.training.step_plan import StepCounts, StepPlan, repetition
from rarebird.training.test_time_views import views
from rarebird.training.timing import WARM_UP_STEPS, fastest_placement, placements
from rarebird.training.trainer import StepProgress, Trained, TrainingPlan
from rarebird.training.training_rows import learned_rows, prepared_rows
from rarebird.training.validation import Validation, inputs_of, watched_rows

# A step is measured for this share of the remaining time, and for at most these seconds.
MEASURING_SHARE, MEASURING_SECONDS = 0.03, 3.0
# Batches whose prediction is measured, and how much more rows each next measurement has.
MEASURED_BATCHES, GROWTH = 4, 16
# Seconds that a measurement may take however little time is left: a shorter one measures what is done only once.
SHORT = 1.0
# A training step takes about as long as this number of predictions of its rows: forward, backward, and the optimizer.
STEP_PREDICTIONS = 3.0
# Steps that a measurement of a placement takes at least, and how much longer than asked for it may take.
FEWEST_MEASURED_STEPS, MOST_OVERRUN = WARM_UP_STEPS + 3, 5.0
UNSEEN = "Training ended before a network had seen every training row once; it needs more time."


class NetworkTrainer:
    """One network's training, ready to be planned and run.

    Args:
        recipe: What to train.
        learned: Training rows that the network learns from, before resampling.
        watched: Rows that it never learns from, for the learning curve and for early stopping; may be empty.
        fold: The number of the part; it names the random streams.
        device: A torch device.
        outside: Rows of other sources, which join `learned` if the recipe says so.
        progress: Told while a generator of synthetic rows learns.
        unlabeled: Rows without labels, from which the network learns first if the recipe says so.
    """

    def __init__(
        self,
        recipe: Recipe,
        learned: Dataset,
        watched: Dataset,
        fold: int,
        device: str,
        outside: Sequence[Outside] = (),
        progress: Progress = silent,
        unlabeled: Unlabeled | None = None,
    ) -> None:
        self.recipe, self.fold, self.device = recipe, fold, device
        self._learned, self._watched = learned, watched
        self.prepared, self.notes = prepared(learned, recipe.seed)
        self.joined = joined = join(recipe, learned, outside, self.prepared, fold)
        rows, self._added_factor, notes = learned_rows(recipe, joined, fold, Compute(device, None, progress))
        self.notes += notes
        self.rows = prepared_rows(self.prepared, rows)
        values = self.rows.y[:, 0].double().numpy() if rows.task == "regression" else None
        class_counts = rows.weighted_counts if values is None else None
        self.targets = TargetStatistics(class_counts, rows.classes, values, self.rows.counts)
        self.statistics = TrainStatistics(self.prepared.spec, class_counts)
        repeated = repetition(recipe, joined.rows, rows.class_counts)
        self.steps = StepCounts(recipe, len(joined.rows), len(self.rows), repeated)
        self._embedded: Rows | None = None
        self._frozen: dict[str, torch.Tensor] = {}
        self._per_row: float | None = None
        self._initial = InitialNetwork(recipe, self.prepared, self.rows.inputs, fold, unlabeled)

    @property
    def own_steps(self) -> int:
        """Steps that the recipe asks for, without a time limit."""
        return self.steps.full

    def plan(self, deadline: float | None, trainings: int) -> Recipe:
        """The recipe with steps, precision, memory layout and threads filled in.

        With a deadline, a short measurement gives the number of steps that fit, but no more than the recipe's `steps`.
        Without one nothing is measured, so that the same recipe gives the same plan each time.

        Args:
            deadline: When all `trainings` must have ended, on the scale of `time.monotonic`; None: no limit.
            trainings: The number of trainings that share the time.
        """
        if deadline is None:
            best, seconds = self._placements()[0], 0.0
        else:
            left = distributed.decided(max(deadline - time.monotonic(), 0.0))
            best, seconds = self._fastest_within(min(MEASURING_SHARE * left, MEASURING_SECONDS), deadline)
        recipe = self.recipe.updated(precision=best.precision, channels_last=best.channels_last, threads=best.threads)
        recipe = self._initial.planned(recipe, best, deadline, trainings)
        if deadline is None:
            return recipe.updated(steps=self.own_steps)
        left = max(deadline - time.monotonic() - self._initial.seconds(trainings), 0.0)
        steps = self.steps.within(left / trainings, seconds)
        return recipe.updated(steps=min(steps, self.recipe.steps or steps))

    @property
    def shared_seconds(self) -> float:
        """Seconds of the planned pretraining that serves all trainings."""
        return self._initial.shared_seconds

    def pretraining_seconds(self, trainings: int) -> float:
        """Measured seconds of a pretraining of as many steps as the recipe asks for, per training; 0 if it has none."""
        return self._initial.measured_seconds(self.recipe, self._placements()[0], trainings)

    def fastest(self, seconds: float) -> tuple[Placement, float]:
        """The placement with the shortest step, and the step's seconds; measured for about `seconds`."""
        return fastest_placement(self._placements(), self.training, seconds)

    def _fastest_within(self, seconds: float, deadline: float) -> tuple[Placement, float]:
        """`fastest`; where even its fewest steps would take much longer than `seconds`, fewer placements are measured,
        or none: a step is then about as long as the prediction of its rows, times `STEP_PREDICTIONS`."""
        candidates = self._placements()
        batch = min(self.recipe.batch_size, len(self.rows))
        forecast = STEP_PREDICTIONS * batch * self.seconds_per_row(deadline)
        fewest = FEWEST_MEASURED_STEPS * forecast
        if fewest > MOST_OVERRUN * seconds:
            return candidates[0], forecast
        if len(candidates) * fewest > MOST_OVERRUN * seconds:
            candidates = candidates[:1]
        return fastest_placement(candidates, self.training, seconds)

    def seconds_per_row(self, deadline: float | None = None) -> float:
        """About how long the prediction of one row takes, preparation included: measured on one row, and on more, up to
        a few batches, while these take a small share of the time."""
        if self._per_row is not None:
            return self._per_row
        network = self._initial.build().to(self.device)
        most = min(len(self._learned), MEASURED_BATCHES * rows_at_once(self.rows.inputs, self.device, network))
        allowed = np.inf if deadline is None else max(MEASURING_SHARE * (deadline - time.monotonic()), SHORT)
        rows = most if deadline is None else 1
        taken = self._prediction_seconds(network, rows)
        if deadline is not None and taken < allowed:
            # Again: the first prediction loads what is loaded only once.
            taken = self._prediction_seconds(network, rows)
        while rows < most and taken * GROWTH < allowed:
            rows = min(rows * GROWTH, most)
            taken = self._prediction_seconds(network, rows)
        self._per_row = distributed.decided(taken / rows)
        return self._per_row

    def _prediction_seconds(self, network: nn.Module, n: int) -> float:
        rows = self._learned.take(np.arange(n))
        start = time.monotonic()
        logits(network, self.prepared.inputs(rows), self.device, views=views(self.recipe, self.prepared.spec))
        return time.monotonic() - start

    def fits(self, deadline: float | None, trainings: int) -> bool:
        """True: fewer steps fit into any time."""
        return True

    def least_seconds(self, deadline: float) -> float:
        """Seconds of one step; where the network has a frozen part, of its outputs for all rows, which come first."""
        batch = min(self.recipe.batch_size, len(self.rows))
        is_frozen = is_frozen_before_head(self._initial.build(), self.recipe)
        rows = max(len(self.rows), STEP_PREDICTIONS * batch) if is_frozen else STEP_PREDICTIONS * batch
        return rows * self.seconds_per_row(deadline)

    def run(self, plan: TrainingPlan, on_step: StepProgress) -> Trained:
        """Train as planned; a replay repeats the plan's changes and does not read the clock."""
        recipe = plan.recipe
        assert recipe.steps is not None
        where = placements(recipe, self.prepared.spec.kind, self.device)[0]
        with threads(recipe.threads):
            if self._initial.pretrain(plan, where):
                # What was computed with the weights before, to measure steps.
                self._embedded, self._frozen = None, {}
        training = self.training(where)
        if is_large(training):
            check_memory(self.training(where), recipe.network.name)
        training.on_step, training.checkpoint = on_step, plan.checkpoint
        distributed.begin(training.network, training.rows, seed=self.recipe.seed, fold=self.fold)
        if (validation := self._validation(training.network, recipe)) is not None:
            training.validation = lambda network: validation(network, self.prior_factor(training.stage))
        max_steps = None if plan.deadline is None else plan.max_steps or self.steps.maximum
        steps = StepPlan(recipe.steps, plan.deadline, plan.changes, max_steps)
        with threads(recipe.threads):
            history = training.run(steps)
        adapters.merge(training.network)
        network = placement(self.device, self.prepared.spec.kind == "image").place(training.network)
        unseen = plan.deadline is not None and steps.step * training.batch_size < len(self.rows)
        return Trained(
            network=network.eval(),
            prepared=self.prepared,
            prior_factor=self.prior_factor(training.kept_stage),
            history=history,
            changes=steps.changes,
            notes=[
                *self.notes,
                *self._initial.notes(),
                *([UNSEEN] if unseen else []),
                *self._notes_on_stages(training),
            ],
            ended=self._end_cause(steps),
            started=self._initial.started,
            sources=self.joined.reports,
        )

    def training(self, where: Placement) -> Training:
        """A new training, with the network's initial weights."""
        seed, network = self.recipe.seed, self._initial.build()
        if ranks := [stage.rank or adapters.RANK for stage in self.recipe.stages if stage.trainable == "adapters"]:
            adapters.add(network, max(ranks))
        network = where.place(network)
        training = Training(
            network=network,
            rows=self._rows_for(network).to(where),
            stages=stages(self.recipe, self.statistics, self.targets, where.device),
            placement=where,
            parts=self.recipe.accumulation,
            recomputes=self.recipe.activation_checkpointing,
            is_sharded=self.recipe.sharded,
            batch_size=min(self.recipe.batch_size, len(self.rows)),
            rng=rng.stream(seed, "batches", self.fold),
            generator=rng.torch_stream(seed, "augmentation", self.fold, device=where.device),
            hooks=[method.attach(network) for method in self.recipe.regularization],
            fold=self.fold,
        )
        check_savings(training, self.recipe)
        return training

    def prior_factor(self, place: int) -> np.ndarray | None:
        """The product of the factors by which the slots multiply the natural prior in a stage.

        Args:
            place: The place of the stage; after a training, of the one whose weights are kept.

        Returns:
            ``(n_classes,)`` of sum 1; None for regression, and where a slot leaves the prior of the logits unknown.
        """
        return stage_prior_factor(self.recipe, self.recipe.stages[place], self.targets, self._added_factor)

    def _placements(self) -> list[Placement]:
        return placements(self.recipe, self.prepared.spec.kind, self.device)

    def _notes_on_stages(self, training: Training) -> list[str]:
        ran, n_stages = training.stage + 1, len(self.recipe.stages)
        if ran == n_stages:
            return []
        return [f"Training ended in stage {ran} of {n_stages}; the later stages changed nothing."]

    def _end_cause(self, steps: StepPlan) -> str:
        """What ended the training, as `Trained.ended` has it."""
        if (steps.step, steps.step) in steps.changes:
            return "stop"
        return "epochs" if steps.step >= self.steps.maximum else "clock"

    def _rows_for(self, network: nn.Module) -> Rows:
        """The rows as the network trains on them: if it has a frozen part and nothing augments the rows, the outputs of
        that part."""
        # Computed once: all trainings of this object draw the same weights, and so have the same frozen part.
        if self._embedded is None and hasattr(network, "fit_frozen"):
            counts = torch.ones(len(self.rows)) if self.rows.counts is None else torch.from_numpy(self.rows.counts)
            self._embedded = replace(self.rows, inputs=network.fit_frozen(self.rows.inputs, counts))  # type: ignore[operator]
            self._frozen = {name: buffer.clone() for name, buffer in network.named_buffers()}
        for name, buffer in network.named_buffers() if self._frozen else ():
            buffer.copy_(self._frozen[name])
        if not is_frozen_before_head(network, self.recipe) or any(
            merged(self.recipe, stage)["augmentation"] for stage in self.recipe.stages
        ):
            return self.rows
        if self._embedded is None:
            self._embedded = replace(self.rows, inputs=embedded(network, self.rows.inputs, self.device))
        return self._embedded

    def _validation(self, network: nn.Module, recipe: Recipe) -> Validation | None:
        """Scores for the learning curve; None where no row is watched."""
        if not len(self._watched):
            return None
        watched = watched_rows(recipe, self._watched, self.fold)
        inputs = inputs_of(network, self.recipe, self.prepared, watched, self.device)
        natural = None if self._learned.task == "regression" else self._learned.weighted_counts
        precision = "float32" if recipe.precision == "auto" else recipe.precision
        return Validation(watched, self.prepared, inputs, natural, self.device, precision)

"""Train one network of a recipe on given rows: the part of the data's way from `prepare` to the last step."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from rarebird import methods, rng
from rarebird.checks import DataError
from rarebird.data import prepare
from rarebird.data.dataset import Dataset
from rarebird.data.prepare import Prepared
from rarebird.protocols import TrainStatistics
from rarebird.recipe import Recipe, Stage
from rarebird.remedies.augmentation.pipeline import Pipeline
from rarebird.training.batches import Rows
from rarebird.training.course import Course
from rarebird.training.device import Placement
from rarebird.training.inference import logits, placement, rows_at_once
from rarebird.training.loop import EVALUATIONS, Judge, StageParts, Training
from rarebird.training.measure import fastest

MEASURING_SHARE, MEASURING_SECONDS = 0.03, 3.0
# Evaluations and the batches' irregularities take their part of each second beside the measured steps.
STEPPING_SHARE = 0.93
DEFAULT_EPOCHS = 30.0
# Held-out rows that each evaluation looks at: so many that all evaluations together see a fifth as many rows as the steps do.
JUDGED_SHARE, FEWEST_JUDGED = 0.2 / EVALUATIONS, 100
FEW_BATCHES = 4


@dataclass
class Trained:
    """What came of one training.

    Attributes:
        prior_factor: ``(n_classes,)`` by which the training multiplied the natural prior; None where the logits answer to no prior.
        history: One entry per evaluation.
        changes: Steps re-laid because of the clock, for the recipe.
        notes: Sentences on what was left out or done.
        ended: What ended it: the recipe's ``epochs``, a ``stop`` by a hook or the user, or the ``clock``.
    """

    network: nn.Module
    prepared: Prepared
    prior_factor: np.ndarray | None
    history: list[dict[str, float]]
    changes: list[tuple[int, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    ended: str = "clock"


class Bench:
    """One network's training, ready to be measured and run.

    Args:
        recipe: What to train.
        fit_rows: Natural training rows of this network.
        held_rows: Rows that judge it, for the learning curve and early stopping; never learned from.
        fold: Which part of the cross-fitting this is; it names the random streams.
        device: A torch device.
    """

    def __init__(self, recipe: Recipe, fit_rows: Dataset, held_rows: Dataset, fold: int, device: str) -> None:
        self.recipe, self.fold, self.device = recipe, fold, device
        self._fit_rows, self._held = fit_rows, held_rows
        self.prepared, self.notes = prepare.fit(fit_rows, recipe.seed)
        rows, self._resampling_factor = resampled(recipe, fit_rows, fold)
        weight = rows.weights / rows.weights.mean()
        self.rows = Rows(self.prepared.inputs(rows), self.prepared.targets(rows), torch.from_numpy(weight.astype(np.float32)))
        self._counts, self._classes = rows.class_counts, rows.classes
        self._natural = None if fit_rows.task == "regression" else fit_rows.weighted_counts
        self.statistics = TrainStatistics(self.prepared.spec, rows.class_counts)

    def lay_out(self, deadline: float | None, networks: int) -> Recipe:
        """The recipe with steps, precision and memory layout laid out, by a short measurement where there is a deadline to meet.

        Without one nothing is measured, so that the same recipe is laid out the same way each time.

        Args:
            deadline: When all `networks` should have been trained, on the scale of `time.monotonic`; None: no limit.
            networks: How many trainings share the time.
        """
        candidates = self._candidates()
        best, steps = candidates[0], self.recipe.steps or self._epochs_steps(otherwise=self._steps_of(DEFAULT_EPOCHS))
        if deadline is not None:
            left = max(deadline - time.monotonic(), 0.0)
            best, seconds = fastest(candidates, self.training, min(MEASURING_SHARE * left, MEASURING_SECONDS))
            steps = self._steps(seconds, deadline, networks)
        return self.recipe.updated(steps=steps, precision=best.precision, channels_last=best.channels_last)

    def seconds_per_row(self) -> float:
        """About how long the prediction of one row takes, preparation included, by that of a few batches."""
        built: Any = self.recipe.network
        network = built.build(self.prepared.spec).to(self.device)
        some = self._fit_rows.take(np.arange(min(len(self._fit_rows), FEW_BATCHES * rows_at_once(self.rows.inputs, self.device))))
        start = time.monotonic()
        logits(network, self.prepared.inputs(some), self.device)
        return (time.monotonic() - start) / len(some)

    def run(self, deadline: float | None, changes: Sequence[tuple[int, int]], report: Callable[[float], bool]) -> Trained:
        """Train as the laid-out recipe says; a replay repeats `changes` and does not look at the clock."""
        training = self.training(self._candidates()[0])
        training.report = report
        training.judge = self._judge() if len(self._held) else None
        assert self.recipe.steps is not None
        most = None if deadline is None else self._epochs_steps(otherwise=sys.maxsize)
        course = Course(self.recipe.steps, deadline, changes, most)
        history = training.run(course)
        network = placement(self.device, self.prepared.spec.kind == "image").place(training.network)
        unseen = ["Training ended before a network had seen every training row once; it needs more time."]
        notes = self.notes + unseen * (deadline is not None and course.step * training.batch_size < len(self.rows))
        stopped = (course.step, course.step) in course.changes
        ended = "stop" if stopped else "epochs" if course.step >= self._epochs_steps(otherwise=sys.maxsize) else "clock"
        return Trained(network.eval(), self.prepared, self.prior_factor(), history, course.changes, notes, ended)

    def training(self, placement: Placement) -> Training:
        """A fresh training with freshly drawn weights."""
        seed = self.recipe.seed
        torch.manual_seed(rng.torch_seed(seed, "network", self.fold))
        network = placement.place(self.recipe.network.build(self.prepared.spec))
        return Training(
            network=network,
            rows=self.rows.to(placement),
            stages=self._stages(placement),
            placement=placement,
            batch_size=min(self.recipe.batch_size, len(self.rows)),
            rng=rng.stream(seed, "batches", self.fold),
            generator=rng.torch_stream(seed, "augmentation", self.fold, device=placement.device),
            hooks=[method.attach(network) for method in self.recipe.regularization],
            fold=self.fold,
        )

    def prior_factor(self) -> np.ndarray | None:
        """The product of what each slot multiplied the natural prior by, in the last stage; None where one answers to no prior."""
        if self._counts is None:
            return None
        slots = _merged(self.recipe, self.recipe.stages[-1])
        factors = [
            self._resampling_factor,
            slots["loss"].prior_factor(self._counts, self._classes),
            slots["batch_sampling"].prior_factor(self._counts),
        ]
        if any(factor is None for factor in factors):
            return None
        product: np.ndarray = np.prod(factors, axis=0)
        normalized: np.ndarray = product / product.sum()
        return normalized

    def _steps(self, step_seconds: float, deadline: float | None, networks: int) -> int:
        """As many steps as fit, or as the recipe's epochs ask for where that is fewer."""
        if deadline is None:
            return self._epochs_steps(otherwise=self._steps_of(DEFAULT_EPOCHS))
        seconds = max(deadline - time.monotonic(), 0.0) / networks * STEPPING_SHARE
        return max(1, min(int(seconds / step_seconds), self._epochs_steps(otherwise=sys.maxsize)))

    def _epochs_steps(self, otherwise: int) -> int:
        """The steps of the recipe's epochs, or `otherwise` where it does not limit them."""
        return otherwise if self.recipe.epochs is None else self._steps_of(self.recipe.epochs)

    def _steps_of(self, epochs: float) -> int:
        return max(1, round(epochs * len(self.rows) / min(self.recipe.batch_size, len(self.rows))))

    def _candidates(self) -> list[Placement]:
        """The recipe's placement, or those worth measuring where it leaves it open."""
        recipe, picture = self.recipe, self.prepared.spec.kind == "image"
        if recipe.precision != "auto":
            return [Placement(self.device, recipe.precision, bool(recipe.channels_last) and picture)]
        plain = Placement(self.device, "float32", bool(recipe.channels_last) and picture)
        if self.prepared.spec.kind == "table" and self.device == "cpu":
            return [plain]
        return [plain, Placement(self.device, "bfloat16", picture and recipe.channels_last is not False)]

    def _stages(self, placement: Placement) -> list[StageParts]:
        """Every stage of the recipe with its slots filled, ending with progress 1."""
        shares = np.cumsum([stage.share for stage in self.recipe.stages])
        return [
            self._stage(stage, float(until / shares[-1]), first=place == 0, device=placement.device)
            for place, (stage, until) in enumerate(zip(self.recipe.stages, shares, strict=True))
        ]

    def _stage(self, stage: Stage, until: float, first: bool, device: str) -> StageParts:
        slots = _merged(self.recipe, stage)
        if self.prepared.spec.task not in slots["loss"].tasks:
            others: list[tuple[str, Any]] = [(name, methods.load("loss", name)) for name in methods.names("loss", self.recipe.kind)]
            serving = [name for name, loss in others if self.prepared.spec.task in loss.tasks]
            raise DataError(f"The loss {slots['loss'].name!r} does not serve {self.prepared.spec.task}; use one of {', '.join(serving)}.")
        counts = None if self._counts is None else torch.from_numpy(self._counts)
        return StageParts(
            loss=slots["loss"].build(counts, self._classes).to(device),
            sampling=slots["batch_sampling"],
            optimizer=slots["optimizer"],
            schedule=slots["schedule"],
            augment=Pipeline(slots["augmentation"], self.statistics) if slots["augmentation"] else None,
            trainable=stage.trainable,
            until=until,
            restarts=not first and (stage.trainable != "all" or bool({"optimizer", "schedule"} & set(stage.overrides))),
        )

    def _judge(self) -> Judge:
        """Scores of a network on held-out rows; which rows, depends on the recipe and its seed alone."""
        assert self.recipe.steps is not None
        most = max(FEWEST_JUDGED, int(JUDGED_SHARE * self.recipe.steps * self.recipe.batch_size))
        held = self._held
        if len(held) > most:
            held = held.take(np.sort(rng.stream(self.recipe.seed, "judged", self.fold).permutation(len(held))[:most]))
        inputs = self.prepared.inputs(held)
        score = self._regression_scores if self.prepared.spec.task == "regression" else self._class_scores
        return lambda network: score(logits(network, inputs, self.device), held)

    def _regression_scores(self, outputs: np.ndarray, held: Dataset) -> dict[str, float]:
        """The squared error, in units of the target's variance."""
        error = (outputs - self.prepared.targets(held).double().numpy())[:, 0] ** 2
        return {"loss": float(np.average(error, weights=held.weights))}

    def _class_scores(self, outputs: np.ndarray, held: Dataset) -> dict[str, float]:
        """The log loss under the natural prior, and the balanced accuracy of the balanced decision."""
        factor = self.prior_factor()
        corrected = outputs if factor is None else outputs - np.log(factor)
        log_probability = corrected - np.logaddexp.reduce(corrected, axis=1, keepdims=True)
        y, weight = held.codes, held.weights
        loss = np.average(-log_probability[np.arange(len(y)), y], weights=weight)
        assert self._natural is not None
        # Without a known prior of the logits there is nothing to divide by.
        balanced = log_probability if factor is None else log_probability - np.log(np.where(self._natural > 0, self._natural, 1))
        right = balanced.argmax(axis=1) == y
        recalls = [np.average(right[y == code], weights=weight[y == code]) for code in np.unique(y)]
        return {"loss": float(loss), "balanced_accuracy": float(np.mean(recalls))}


def resampled(recipe: Recipe, train: Dataset, fold: int) -> tuple[Dataset, np.ndarray | None]:
    """Training rows after the slots that change which rows there are, and by what they multiplied each class's weighted count."""
    rows = train
    for slot in ("resampling", "external"):
        method: Any = getattr(recipe, slot)
        if method is not None:
            rows = method(rows, rng.stream(recipe.seed, slot, fold))
    if train.task == "regression":
        return rows, None
    before, after = train.weighted_counts, rows.weighted_counts
    # A class that was not there, or is no longer, has no factor.
    known = (before > 0) & (after > 0)
    return rows, np.where(known, after, 1.0) / np.where(known, before, 1.0)


def _merged(recipe: Recipe, stage: Stage) -> dict[str, Any]:
    """The recipe's slots with a stage's overrides in place."""
    slots: dict[str, Any] = {slot: getattr(recipe, slot) for slot in ("loss", "batch_sampling", "optimizer", "schedule", "augmentation")}
    for slot, settings in stage.overrides.items():
        if slot not in slots:
            raise DataError(f"A stage cannot override {slot!r}; it can override {', '.join(slots)}.")
        slots[slot] = tuple(methods.build(slot, one) for one in settings) if slot == "augmentation" else methods.build(slot, settings)
    return slots

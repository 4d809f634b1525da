"""Train one network of a recipe on given rows: the part of the data's way from `prepare` to the last step."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from rarebird.core import rng
from rarebird.data import prepare
from rarebird.data.dataset import Dataset
from rarebird.data.prepare import Prepared
from rarebird.recipe.recipe import Recipe
from rarebird.slots.protocols import TargetStatistics, TrainStatistics
from rarebird.training import staging
from rarebird.training.batches import Rows
from rarebird.training.device import Placement, threads
from rarebird.training.inference import embedded, logits, placement, rows_at_once
from rarebird.training.loop import EVALUATIONS, Judge, Training
from rarebird.training.step_plan import Course
from rarebird.training.test_time_views import views
from rarebird.training.timing import fastest

MEASURING_SHARE, MEASURING_SECONDS = 0.03, 3.0
# Evaluations and the batches' irregularities take their part of each second beside the measured steps.
STEPPING_SHARE = 0.93
DEFAULT_EPOCHS = 30.0
# Held-out rows that each evaluation looks at: so many that all evaluations together see a fifth as many rows as the
# steps do.
JUDGED_SHARE, FEWEST_JUDGED = 0.2 / EVALUATIONS, 100
FEW_BATCHES = 4


@dataclass
class Trained:
    """What came of one training.

    Attributes:
        prior_factor: ``(n_classes,)`` by which the training multiplied the natural prior; None where the logits answer
            to no prior.
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
        self.rows = prepared_rows(self.prepared, rows)
        values = self.rows.y[:, 0].double().numpy() if rows.task == "regression" else None
        self.targets = TargetStatistics(rows.class_counts, rows.classes, values)
        self._embedded: Rows | None = None
        self._natural = None if fit_rows.task == "regression" else fit_rows.weighted_counts
        self.statistics = TrainStatistics(self.prepared.spec, rows.class_counts)

    def lay_out(self, deadline: float | None, networks: int) -> Recipe:
        """The recipe with steps, precision and memory layout laid out, by a short measurement where there is a deadline
        to meet.

        Without one nothing is measured, so that the same recipe is laid out the same way each time.

        Args:
            deadline: When all `networks` should have been trained, on the scale of `time.monotonic`; None: no limit.
            networks: How many trainings share the time.
        """
        candidates = self._candidates()
        best, steps = candidates[0], self.own_steps
        if deadline is not None:
            left = max(deadline - time.monotonic(), 0.0)
            best, seconds = fastest(candidates, self.training, min(MEASURING_SHARE * left, MEASURING_SECONDS))
            steps = self._steps(seconds, deadline, networks)
        return self.recipe.updated(
            steps=steps, precision=best.precision, channels_last=best.channels_last, threads=best.threads
        )

    @property
    def own_steps(self) -> int:
        """Steps that the recipe asks for where time is no matter."""
        return self.recipe.steps or self._epochs_steps(otherwise=self._steps_of(DEFAULT_EPOCHS))

    def seconds_per_row(self) -> float:
        """About how long the prediction of one row takes, preparation included, by that of a few batches."""
        built: Any = self.recipe.network
        network = built.build(self.prepared.spec).to(self.device)
        some = self._fit_rows.take(
            np.arange(min(len(self._fit_rows), FEW_BATCHES * rows_at_once(self.rows.inputs, self.device)))
        )
        start = time.monotonic()
        logits(network, self.prepared.inputs(some), self.device, views=views(self.recipe, self.prepared.spec))
        return (time.monotonic() - start) / len(some)

    def run(
        self, deadline: float | None, changes: Sequence[tuple[int, int]], report: Callable[[float], bool]
    ) -> Trained:
        """Train as the laid-out recipe says; a replay repeats `changes` and does not look at the clock."""
        training = self.training(self._candidates()[0])
        training.report = report
        training.judge = self._judge(training.network) if len(self._held) else None
        assert self.recipe.steps is not None
        most = None if deadline is None else self._epochs_steps(otherwise=sys.maxsize)
        course = Course(self.recipe.steps, deadline, changes, most)
        with threads(self.recipe.threads):
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
            rows=self._rows_for(network).to(placement),
            stages=staging.stages(self.recipe, self.statistics, self.targets, placement.device),
            placement=placement,
            batch_size=min(self.recipe.batch_size, len(self.rows)),
            rng=rng.stream(seed, "batches", self.fold),
            generator=rng.torch_stream(seed, "augmentation", self.fold, device=placement.device),
            hooks=[method.attach(network) for method in self.recipe.regularization],
            fold=self.fold,
        )

    def prior_factor(self) -> np.ndarray | None:
        """The product of what each slot multiplied the natural prior by, in the last stage; None where one answers to
        no prior."""
        counts, last = self.targets.class_counts, self.recipe.stages[-1]
        if counts is None or last.normalize_head is not None:
            return None
        slots = staging.merged(self.recipe, last)
        if any(getattr(method, "bends_prior", False) for method in slots["augmentation"]):
            return None
        factors = [
            self._resampling_factor,
            slots["loss"].prior_factor(self.targets),
            slots["batch_sampling"].prior_factor(counts),
            np.ones(len(counts))
            if last.class_weight is None
            else staging.class_weights(last.class_weight, self.targets),
        ]
        if any(factor is None for factor in factors):
            return None
        product: np.ndarray = np.prod(factors, axis=0)
        normalized: np.ndarray = product / product.sum()
        return normalized

    def _rows_for(self, network: nn.Module) -> Rows:
        """The rows as the network trains on them: past its frozen part, where it has one and no augmentation changes
        them."""
        augmented = any(staging.merged(self.recipe, stage)["augmentation"] for stage in self.recipe.stages)
        if not hasattr(network, "embed") or augmented:
            return self.rows
        if self._embedded is None:
            # Weights are drawn from the recipe's seed, so that every training of this bench has the same frozen part.
            self._embedded = replace(self.rows, inputs=embedded(network, self.rows.inputs, self.device))
        return self._embedded

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
        """Steps of as many passes over the natural rows, fewer where some rows come more than once in a pass.

        Rows that come again and again are learned by heart: mammography with balanced batches has an out-of-fold log
        loss of .060 after 15 passes, in which each rare row came 300 times, and of .049 after 3 to 5. The root is the
        balance between that and too few steps.
        """
        passes = epochs / math.sqrt(self._repetition())
        return max(1, round(passes * len(self._fit_rows) / min(self.recipe.batch_size, len(self.rows))))

    def _repetition(self) -> float:
        """How often the rows of the most repeated class come in a pass of as many draws as there are natural rows, at
        least 1."""
        counts, natural = self.targets.class_counts, self._fit_rows.class_counts
        if counts is None or natural is None:
            return 1.0
        sampling: Any = self.recipe.batch_sampling
        factor = sampling.prior_factor(counts)
        draws = counts * (1.0 if factor is None else factor)
        distinct = np.minimum(counts, natural)
        kept = distinct > 0
        return float(max(1.0, (len(self._fit_rows) * draws[kept] / draws.sum() / distinct[kept]).max()))

    def _candidates(self) -> list[Placement]:
        """The recipe's placement, or those worth measuring where it leaves it open; the first is taken unless another
        is clearly faster."""
        recipe, picture = self.recipe, self.prepared.spec.kind == "image"
        channels_last = bool(recipe.channels_last) and picture
        counts = self._thread_counts()
        if recipe.precision != "auto":
            return [Placement(self.device, recipe.precision, channels_last, count) for count in counts]
        plain = [Placement(self.device, "float32", channels_last, count) for count in counts]
        if self.prepared.spec.kind == "table" and self.device == "cpu":
            return plain
        return [*plain, Placement(self.device, "bfloat16", picture and recipe.channels_last is not False, counts[0])]

    def _thread_counts(self) -> list[int]:
        """CPU threads worth measuring. A table's steps are short: threads wait for each other longer than they work,
        and on a busy machine that takes a multiple (mammography, 256 rows a step, one core busy: 7 ms with one thread,
        41 ms with two)."""
        if self.recipe.threads is not None:
            return [self.recipe.threads]
        every = torch.get_num_threads()
        if self.device != "cpu" or every == 1:
            return [every]
        return [1, every] if self.prepared.spec.kind == "table" else [every, 1]

    def _judge(self, network: nn.Module) -> Judge:
        """Scores of a network on held-out rows; which rows, depends on the recipe and its seed alone."""
        assert self.recipe.steps is not None
        most = max(FEWEST_JUDGED, int(JUDGED_SHARE * self.recipe.steps * self.recipe.batch_size))
        held = self._held
        if len(held) > most:
            held = held.take(np.sort(rng.stream(self.recipe.seed, "judged", self.fold).permutation(len(held))[:most]))
        inputs = self.prepared.inputs(held)
        if hasattr(network, "embed"):
            inputs = embedded(network, inputs, self.device)
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
        balanced = (
            log_probability
            if factor is None
            else log_probability - np.log(np.where(self._natural > 0, self._natural, 1))
        )
        right = balanced.argmax(axis=1) == y
        recalls = [np.average(right[y == code], weights=weight[y == code]) for code in np.unique(y)]
        return {"loss": float(loss), "balanced_accuracy": float(np.mean(recalls))}


def prepared_rows(prepared: Prepared, rows: Dataset) -> Rows:
    """Training rows as tensors, with weights of mean 1."""
    weight = rows.weights / rows.weights.mean()
    return Rows(prepared.inputs(rows), prepared.targets(rows), torch.from_numpy(weight.astype(np.float32)))


def resampled(recipe: Recipe, train: Dataset, fold: int) -> tuple[Dataset, np.ndarray | None]:
    """Training rows after the slots that change which rows there are, and by what they multiplied each class's weighted
    count."""
    rows = train
    for slot in ("resampling",):
        method: Any = getattr(recipe, slot)
        if method is not None:
            rows = method(rows, rng.stream(recipe.seed, slot, fold))
    if train.task == "regression":
        return rows, None
    before, after = train.weighted_counts, rows.weighted_counts
    # A class that was not there, or is no longer, has no factor.
    known = (before > 0) & (after > 0)
    return rows, np.where(known, after, 1.0) / np.where(known, before, 1.0)

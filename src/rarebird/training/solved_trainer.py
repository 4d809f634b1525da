"""Trains a network whose features are frozen: its linear head is solved in closed form, with leave-one-out outputs for
the training rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rarebird.core.checks import DataError
from rarebird.core.compute import Compute
from rarebird.core.memory import require_memory
from rarebird.core.progress import Progress, silent
from rarebird.data.dataset import Dataset, Outside, Unlabeled
from rarebird.recipe.recipe import Recipe
from rarebird.slots.protocols import Inputs
from rarebird.slots.solved_head import HeadRows
from rarebird.training.batches import ready
from rarebird.training.device import Placement, threads
from rarebird.training.inference import embedded, learns_head_alone, placement, rows_at_once
from rarebird.training.initial_network import InitialNetwork
from rarebird.training.joining import join
from rarebird.training.preparation import prepared
from rarebird.training.timing import affine_seconds
from rarebird.training.trainer import StepProgress, Trained, TrainingPlan
from rarebird.training.training_rows import learned_rows, prepared_rows

# Rows whose features are measured, at most, and the side of measured products of matrices.
MEASURED_ROWS, MEASURED_PICTURES, MEASURED_SIDE = 40, 64, 512
# Seconds in which features of more than one picture are measured: a pause of a tenth of a second, as on a busy machine,
# must not look like the time of a few pictures.
PICTURES_SECONDS = 1.0
# Share of the time in which features of more than one row are measured.
MEASURING_SHARE = 0.15
# Of longer series, this number of steps is measured first: one pass over the steps serves all rows of a block, so that
# a few whole series would take about as long as all.
SHORT_SERIES = 100
# Seconds in which more and more of their steps are measured. Where 100 steps stood for 2,844, a pause of a tenth of a
# second became three, and kernels that take 6 s were left out of a budget of 60 s.
STEPS_SECONDS = 2.0
# An eigendecomposition takes about as long as this number of products of matrices of its size.
DECOMPOSITION = 12.0
# Scores of a solution are judged about this number of times, until their scale and biases are fitted, and each number
# of them takes this time: an exponential and a few passes over memory.
JUDGEMENTS, SECONDS_PER_JUDGEMENT = 20, 6e-9
# Squares of float64 that a decomposition holds, and tables of float64 rows where features are fewer than rows.
SQUARES, TABLES = 6, 4
# Share of the time that may be planned; the rest is a reserve, because the speed of a shared machine varies.
PLANNED_SHARE = 0.7


class SolvedTrainer:
    """One solved training, planned and run like that of a `NetworkTrainer`; all of it counts as one step.

    Args:
        recipe: What to train; its `head` is given.
        learned: Training rows, before resampling.
        fold: The number of the part; it names the random streams.
        device: A torch device.
        outside: Rows of other sources, which join `learned` if the recipe says so.
        progress: Told while a generator of synthetic rows learns.
        unlabeled: Rows without labels, from which the network learns first if the recipe says so.

    Raises:
        DataError: The network has parts to learn before its head.
    """

    own_steps = 1

    def __init__(
        self,
        recipe: Recipe,
        learned: Dataset,
        fold: int,
        device: str,
        outside: Sequence[Outside] = (),
        progress: Progress = silent,
        unlabeled: Unlabeled | None = None,
    ) -> None:
        self.recipe, self.fold, self.device = recipe, fold, device
        self._learned = learned
        self.prepared, self.notes = prepared(learned, recipe.seed)
        self.joined = join(recipe, learned, outside, self.prepared, fold)
        rows, _, notes = learned_rows(recipe, self.joined, fold, Compute(device, None, progress))
        self.notes += notes
        self.rows, self._groups = prepared_rows(self.prepared, rows), rows.together
        self._initial = InitialNetwork(recipe, self.prepared, self.rows.inputs, fold, unlabeled)
        network = self._network()
        check_frozen(recipe, network)
        self._width, self._n_outputs = network.head.in_features, network.head.out_features
        self._check_memory()
        self._measured: float | None = None

    def plan(self, deadline: float | None, trainings: int) -> Recipe:
        """The recipe with its one step; a solution cannot be shortened (see `fits`)."""
        recipe = self.recipe.updated(
            steps=1, precision="float32", threads=self.recipe.threads or torch.get_num_threads()
        )
        return self._initial.planned(recipe, self._where(recipe), deadline, trainings)

    @property
    def shared_seconds(self) -> float:
        """Seconds of the planned pretraining that serves all trainings."""
        return self._initial.shared_seconds

    def fits(self, deadline: float | None, trainings: int) -> bool:
        """Whether all trainings end before the deadline: features and products of matrices are measured."""
        if deadline is None:
            return True
        left = max(deadline - time.monotonic(), 0.0)
        seconds = self.least_seconds(deadline)
        return bool(trainings * seconds < PLANNED_SHARE * left - self._initial.seconds(trainings))

    def seconds_per_row(self, deadline: float | None = None) -> float:
        """About how long the features of one row take among all rows, measured on few: fewer where the time is short.
        Measured once."""
        if self._measured is None:
            left = np.inf if deadline is None else deadline - time.monotonic()
            self._measured = self._measure(MEASURING_SHARE * left)
        return self._measured

    def least_seconds(self, deadline: float) -> float:
        """Seconds of the features of all rows and of their solution, which cannot be shortened."""
        return len(self.rows) * self.seconds_per_row(deadline) + self._solving_seconds

    @cached_property
    def _solving_seconds(self) -> float:
        """Seconds of the decompositions, and of the solutions that are tried and judged: with many classes, these take
        longer. Measured once."""
        head: Any = self.recipe.head
        n, side = len(self.rows), min(len(self.rows), self._width)
        decompositions, tried = head.solutions
        products = n * side * self._width + decompositions * DECOMPOSITION * side**3
        products += tried * 2 * n * side * self._n_outputs
        judged = tried * JUDGEMENTS * n * self._n_outputs if self.prepared.spec.task == "classification" else 0
        return float(products * _seconds_per_product() + judged * SECONDS_PER_JUDGEMENT)

    def _check_memory(self) -> None:
        """Check that features and their decomposition fit into the memory.

        Raises:
            DataError: They do not fit.
        """
        n, width = len(self.rows), self._width
        # Features as they are found and as they are scaled, in float32.
        needed = 8.0 * n * width + 8.0 * SQUARES * min(n, width) ** 2 + (8.0 * TABLES * n * width if n > width else 0)
        what = f"The head of {self.recipe.network.name} on {n} rows of {width} features"
        require_memory(needed, what, "choose a network of fewer features, or leave out head")

    def run(self, plan: TrainingPlan, on_step: StepProgress) -> Trained:
        """Compute the features, and solve the head."""
        with threads(plan.recipe.threads):
            self._initial.pretrain(plan, self._where(plan.recipe))
            network = self._network()
            features = features_of(network, self._fitted(network), self.device)
            on_step(0.5)
            counts = np.ones(len(self.rows)) if self.rows.counts is None else self.rows.counts
            head: Any = self.recipe.head
            solved = head.solve(HeadRows(features, self.rows.y, counts, self._groups, self.prepared.spec.task))
            with torch.no_grad():
                network.head.weight.copy_(solved.weight)
                network.head.bias.copy_(solved.bias)
            on_step(1.0)
        # Scores of a regression have no prior; a calibration finds the natural one.
        prior = None if self._learned.task == "classification" else np.ones(1)
        notes, own = [*self.notes, *self._initial.notes()], solved.own_outputs
        started, sources = self._initial.started, self.joined.reports
        return Trained(network.eval(), self.prepared, prior, [], [], notes, "solved", own, started, sources)

    def _where(self, recipe: Recipe) -> Placement:
        """How a pretraining is computed."""
        return Placement(self.device, threads=recipe.threads)

    def _network(self) -> Any:
        """A new network, with the same frozen part each time."""
        return placement(self.device, self.prepared.spec.kind == "image").place(self._initial.build())

    def _fitted(self, network: Any) -> Inputs:
        """The rows after the network's frozen part, which is fitted to them first if it has anything to fit."""
        network.eval()
        counts = torch.ones(len(self.rows)) if self.rows.counts is None else torch.from_numpy(self.rows.counts)
        if hasattr(network, "fit_frozen"):
            fitted: Inputs = network.fit_frozen(self.rows.inputs, counts)
            return fitted
        rows = embedded(network, self.rows.inputs, self.device) if hasattr(network, "embed") else self.rows.inputs
        if hasattr(network, "fit_scale"):
            network.fit_scale(rows["embedded"], counts)
        return rows

    def _measure(self, allowed: float) -> float:
        """Seconds per row, in blocks of the size in which features are computed. What the measured rows take once, each
        block takes where they are one block, and otherwise all rows together."""
        network = self._network().eval()
        most = min(len(self._learned), MEASURED_ROWS)
        if self.prepared.spec.kind == "image":
            most, allowed = min(len(self._learned), MEASURED_PICTURES), min(allowed, PICTURES_SECONDS)
        inputs = self.prepared.inputs(self._learned.take(np.arange(most)))
        block = rows_at_once(inputs, self.device, network)
        whole, inputs = inputs, _first_steps(inputs, SHORT_SERIES)
        once, each = affine_seconds(lambda rows: (self._seconds(network, inputs, rows),), most, allowed)
        rows = min(block, len(self.rows)) if block >= most else len(self.rows)
        per_row = float(each[0] + once[0] / rows)
        if whole is inputs:
            return per_row
        # What the short series say is only how time grows with rows; the seconds are of longer ones.
        longest = self._seconds_of_whole_series(network, whole, min(allowed, STEPS_SECONDS))
        return longest * per_row / max(float(most * each[0] + once[0]), 1e-12)

    def _seconds_of_whole_series(self, network: Any, inputs: Inputs, allowed: float) -> float:
        """Seconds for these series, from more and more of their steps, while the time allows it."""
        most = -(-inputs["values"].shape[2] // SHORT_SERIES)

        def seconds(parts: int) -> tuple[float]:
            return (self._seconds(network, _first_steps(inputs, parts * SHORT_SERIES), len(inputs["values"])),)

        once, each = affine_seconds(seconds, most, allowed)
        return float(once[0] + each[0] * inputs["values"].shape[2] / SHORT_SERIES)

    def _seconds(self, network: Any, inputs: Inputs, rows: int) -> float:
        start = time.monotonic()
        features_of(network, {name: part[:rows] for name, part in inputs.items()}, self.device)
        return time.monotonic() - start


def _first_steps(inputs: Inputs, steps: int) -> Inputs:
    """The first steps of longer series; other inputs as they are."""
    if "values" not in inputs or inputs["values"].shape[2] <= steps:
        return inputs
    return {**inputs, "values": inputs["values"][..., :steps], "lengths": inputs["lengths"].clamp(max=steps)}


@torch.inference_mode()
def features_of(network: Any, inputs: Inputs, device: str) -> Tensor:
    """``(n, width)`` float32 features of a network's head, in evaluation mode, on the CPU."""
    wanted = placement(device, pictures="pixels" in inputs)
    n, size = len(next(iter(inputs.values()))), rows_at_once(inputs, device, network)
    features: Tensor | None = None
    for start in range(0, n, size):
        part = ready({name: rows[start : start + size] for name, rows in inputs.items()}, wanted)
        found = network.features(part).float().cpu()
        if features is None:
            # Filled in place: two copies of all features would double the memory.
            features = torch.empty(n, found.shape[1])
        features[start : start + size] = found
    assert features is not None
    return features


def check_frozen(recipe: Recipe, network: nn.Module) -> None:
    """Refuse a network with parts to learn before its head, unless all stages of the recipe train the head alone.

    Raises:
        DataError: It has some.
    """
    if learns_head_alone(network, recipe):
        return
    if hasattr(network, "embed"):
        raise DataError(
            f"A head that is solved needs frozen features, but the stages train the network {recipe.network.name!r}; "
            "freeze it with stages=linear_probe, or take head out of the recipe."
        )
    raise DataError(
        f"A head that is solved needs a network with frozen features, such as linear, but the network "
        f"{recipe.network.name!r} learns its features; take head out of the recipe, or choose another network."
    )


def _seconds_per_product() -> float:
    """Seconds of one multiplication and addition within a product of float64 matrices."""
    matrix = torch.ones(MEASURED_SIDE, MEASURED_SIDE, dtype=torch.float64)
    matrix @ matrix
    start = time.monotonic()
    matrix @ matrix
    return (time.monotonic() - start) / MEASURED_SIDE**3

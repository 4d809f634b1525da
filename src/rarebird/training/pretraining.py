"""Learns a network's initial weights without labels, by the task of the recipe's `transfer`: its steps are planned by a
share of the time, and one pretraining on a pool serves all parts of a cross-fitting."""

from __future__ import annotations

import copy
import hashlib
import math
import statistics
import time
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rarebird.core import rng
from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset
from rarebird.data.prepare import Prepared
from rarebird.data.sources import Source
from rarebird.methods.augmentation._pipeline import Pipeline
from rarebird.recipe.recipe import Recipe
from rarebird.slots import methods
from rarebird.slots.protocols import Inputs, TrainStatistics
from rarebird.slots.starting_weights import LearnedWeights, StartingWeights
from rarebird.training.batches import ready
from rarebird.training.device import Placement, threads
from rarebird.training.loss_scale import LossScale
from rarebird.training.trainer import StepProgress

# Steps that are measured, after the first one, which also fills caches.
MEASURED_STEPS = 4
# Share of its time that pretraining may plan: the rest is a reserve for a machine that slows down.
PLANNED_SHARE = 0.8
WARM_UP, WEIGHT_DECAY = 0.1, 1e-2
# Pretrained bodies that are remembered: those of the networks of one search.
MOST = 4
_shared: OrderedDict[bytes, tuple[weakref.ref[Source], int, dict[str, Tensor], StartingWeights]] = OrderedDict()


def learns(recipe: Recipe) -> bool:
    """Whether the recipe's transfer learns initial weights, and does not read them."""
    return isinstance(recipe.transfer, LearnedWeights)


@dataclass(frozen=True, eq=False)
class PretrainingRows:
    """What a pretraining learns from.

    Attributes:
        prepared: What was learned from the part's training rows.
        own: The part's training rows, as `prepare` gives them.
        pool: Rows without labels; None: the part's own rows serve.
        fold: The number of the part; it names the random stream.
    """

    prepared: Prepared
    own: Inputs
    pool: Dataset | None
    fold: int

    @property
    def is_shared(self) -> bool:
        """Whether one pretraining serves all parts: none of them judges the pool, and its rows are the same for all. A
        table's are not: each part has codes of its own for its categories."""
        return self.pool is not None and self.prepared.spec.kind != "table"

    def inputs(self) -> Inputs:
        """The rows as tensors."""
        return self.own if self.pool is None else self.prepared.inputs(self.pool)


class Pretraining:
    """One pretraining of a network, planned and then run.

    Args:
        rows: What it learns from.

    Attributes:
        seconds: What it is planned to take; 0 before it is planned, and if it was done for another part.
    """

    def __init__(self, rows: PretrainingRows) -> None:
        self.rows = rows
        self.seconds = 0.0
        self._inputs: Inputs | None = None

    def plan(self, recipe: Recipe, network: nn.Module, where: Placement, deadline: float | None, trainings: int) -> int:
        """Steps: the given ones, those that were taken for another part, or as many as share and passes allow.

        Args:
            recipe: Its transfer learns.
            network: With newly drawn weights; it is not changed.
            where: How it is computed.
            deadline: When all `trainings` must have ended, on the scale of `time.monotonic`; None: no limit.
            trainings: The number of trainings that share the time.
        """
        transfer: Any = recipe.transfer
        known = self._known(_key(self.rows, recipe, where))
        if known is not None and transfer.steps in (None, known[1]):
            return int(known[1])
        asked = self._asked(transfer)
        if deadline is None:
            return asked
        each = self._step_seconds(recipe, network, where)
        share = PLANNED_SHARE * transfer.share * max(deadline - time.monotonic(), 0.0)
        fitting = int(share / (1 if self.rows.is_shared else trainings) / each)
        steps = asked if transfer.steps else max(1, min(asked, fitting))
        self.seconds = steps * each
        return steps

    def measure(self, recipe: Recipe, network: nn.Module, where: Placement) -> float:
        """Seconds of the steps that the recipe asks for, by a few of them; the network is not changed."""
        return self._asked(recipe.transfer) * self._step_seconds(recipe, network, where)

    def run(
        self, recipe: Recipe, network: nn.Module, where: Placement, deadline: float | None, on_step: StepProgress
    ) -> StartingWeights:
        """Learn the weights of a network's body, in place.

        Args:
            recipe: Its transfer has its steps.
            network: With newly drawn weights, on the CPU.
            where: How it is computed.
            deadline: Ends it even if steps are left, on the scale of `time.monotonic`; None: no limit.
            on_step: Called with the progress 0..1 after each step; True from it ends the pretraining.
        """
        transfer: Any = recipe.transfer
        steps = self._asked(transfer)
        key = _key(self.rows, recipe, where)
        known = self._known(key)
        if known is not None and known[1] == steps:
            network.load_state_dict(known[2], strict=False)
            return known[3]
        before = {name: part.clone() for name, part in network.state_dict().items()}
        taken = 0
        for taken in self._steps(recipe, where.place(network), where, steps):
            if on_step(taken / steps) or (deadline is not None and time.monotonic() > deadline):
                break
        network.to("cpu")
        started = self._started(transfer, taken, steps)
        if self.rows.is_shared and taken == steps:
            assert self.rows.pool is not None
            # What the part's own rows gave, such as means of pixels, did not change, and is each part's own.
            changed = {name: part for name, part in network.state_dict().items() if not part.equal(before[name])}
            learned = {name: part.clone() for name, part in changed.items()}
            _shared[key] = weakref.ref(self.rows.pool.source), steps, learned, started
            while len(_shared) > MOST:
                _shared.popitem(last=False)
        return started

    def _known(self, key: bytes) -> tuple[weakref.ref[Source], int, dict[str, Tensor], StartingWeights] | None:
        """What a pretraining on the same pool gave; None if it serves this part alone, or there was none."""
        found = _shared.get(key)
        is_same = found is not None and self.rows.pool is not None and found[0]() is self.rows.pool.source
        return found if self.rows.is_shared and is_same else None

    def _asked(self, transfer: Any) -> int:
        """Steps that a transfer asks for, by their number or by passes over the rows."""
        if transfer.steps is not None:
            return int(transfer.steps)
        n = len(self._first())
        return max(1, int(transfer.epochs * n / min(transfer.batch_size, n)))

    def _first(self) -> Tensor:
        """The first of the tensors, which has as many entries as there are rows."""
        if self._inputs is None:
            self._inputs = self.rows.inputs()
        return next(iter(self._inputs.values()))

    def _step_seconds(self, recipe: Recipe, network: nn.Module, where: Placement) -> float:
        copied = where.place(copy.deepcopy(network))
        with threads(where.threads):
            moments = [time.monotonic() for _ in self._steps(recipe, copied, where, MEASURED_STEPS + 1)]
        return statistics.median(np.diff(moments).tolist())

    def _steps(self, recipe: Recipe, network: nn.Module, where: Placement, steps: int) -> Iterator[int]:
        """Take the steps; yields the number of steps taken after each.

        Raises:
            DataError: The network has nothing to learn, or the loss is no number.
        """
        transfer: Any = recipe.transfer
        spec, n = self.rows.prepared.spec, len(self._first())
        assert self._inputs is not None
        if n < 2:
            raise DataError("transfer=self_supervised needs two rows to learn from; give more with --unlabeled.")
        fold = 0 if self.rows.is_shared else self.rows.fold
        torch.manual_seed(rng.torch_seed(recipe.seed, "transfer", fold))
        generator = rng.torch_stream(recipe.seed, "views", fold, device=where.device)
        task = transfer.task(network, self._width(network, where), spec).to(where.device)
        optimizer = torch.optim.AdamW(_learned(network, task), lr=transfer.learning_rate, weight_decay=WEIGHT_DECAY)
        view = _View(Pipeline([methods.build("augmentation", one) for one in transfer.views(spec)],
                              TrainStatistics(spec)), where, generator)  # fmt: skip
        task.train()
        scale = LossScale() if where.precision == "float16" else None
        batches = _batches(n, min(transfer.batch_size, n), rng.stream(recipe.seed, "pretraining", fold))
        for step, index in zip(range(1, steps + 1), batches, strict=False):
            for group in optimizer.param_groups:
                group["lr"] = transfer.learning_rate * _rate(step / steps)
            x = {name: part.index_select(0, index).to(where.device) for name, part in self._inputs.items()}
            optimizer.zero_grad(set_to_none=True)
            with where.autocast():
                loss = task(x, view, generator)
            if not math.isfinite(float(loss.detach())):
                raise DataError(f"Pretraining diverged at step {step}; lower its rate with transfer.learning_rate.")
            (loss if scale is None else loss * scale.value).backward()
            if scale is None or scale.accepts(one for group in optimizer.param_groups for one in group["params"]):
                optimizer.step()
            yield step

    @torch.no_grad()
    def _width(self, network: Any, where: Placement) -> int:
        assert self._inputs is not None
        x = ready({name: part[:2] for name, part in self._inputs.items()}, where)
        return int(network.eval().features(x).flatten(1).shape[1])

    def _started(self, transfer: Any, taken: int, steps: int) -> StartingWeights:
        pool = self.rows.pool
        return StartingWeights(
            source="its training rows" if pool is None else pool.name,
            rows=0 if pool is None else len(pool),
            objective=transfer.chosen_objective(self.rows.prepared.spec.kind),
            steps=(taken, steps),
        )


class _View:
    """A random view of a batch, as the network takes it."""

    def __init__(self, pipeline: Pipeline, where: Placement, generator: torch.Generator) -> None:
        self._pipeline, self._where, self._generator = pipeline, where, generator

    def __call__(self, x: Inputs) -> Inputs:
        none = torch.zeros(len(next(iter(x.values()))), 1, device=self._where.device)
        return ready(self._pipeline(x, none, none[:, 0], self._generator)[0], self._where)


def _learned(network: Any, task: nn.Module) -> list[nn.Parameter]:
    """The parameters of the network's body and of the task.

    Raises:
        DataError: The body has none.
    """
    head = {id(parameter) for parameter in network.head.parameters()}
    if all(id(parameter) in head for parameter in network.parameters()):
        raise DataError(
            "transfer=self_supervised needs a network with layers to learn before its head; take another network, or "
            "take transfer out of the recipe."
        )
    return [parameter for parameter in task.parameters() if id(parameter) not in head]


def _batches(n: int, size: int, random: np.random.Generator) -> Iterator[Tensor]:
    """Positions of the rows of batches of one size, pass after pass, each in a new order."""
    while True:
        order = torch.from_numpy(random.permutation(n))
        yield from (order[start : start + size] for start in range(0, n - size + 1, size))


def _rate(progress: float) -> float:
    """The factor of the learning rate: a linear warm-up, then half a cosine."""
    if progress < WARM_UP:
        return progress / WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP)))


def _key(rows: PretrainingRows, recipe: Recipe, where: Placement) -> bytes:
    """A digest of all that a shared pretraining depends on, besides its steps and which part was the first."""
    if rows.pool is None:
        return b""
    spec, transfer = rows.prepared.spec, recipe.transfer
    assert transfer is not None
    transfer = transfer.model_copy(update={"steps": None, "share": 0.5})
    shape = (spec.kind, spec.channels, spec.height, spec.width, spec.length)
    text = f"{id(rows.pool.source)} {recipe.seed} {shape} {where} {transfer.settings()} {recipe.network.settings()}"
    digest = hashlib.blake2b(text.encode())
    digest.update(np.ascontiguousarray(rows.pool.index).tobytes())
    return digest.digest()

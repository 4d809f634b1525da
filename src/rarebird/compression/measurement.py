"""What a model costs and what it does, before and after each step of a compression."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from rarebird.data.dataset import Dataset
from rarebird.metrics.paired_share import weighted_difference
from rarebird.model.model import Model
from rarebird.slots.stored_modules import ArrayModule, OnnxModule, TextModule, stored_precision
from rarebird.training.device import threads
from rarebird.training.inference import logits

BATCHES = (1, 64)
# A latency is the median of repeats: at least and at most so many, for about these seconds.
FEWEST_REPEATS, MOST_REPEATS, REPEAT_SECONDS = 5, 200, 0.5


@dataclass(frozen=True)
class Size:
    """What a model takes.

    Attributes:
        bytes: Of its weights as they are saved.
        parameters: Numbers that were learned; None where a network's file does not tell them.
        nonzero: Those that are not zero.
        seconds: (threads, batch) -> median seconds of the prediction of a batch, without the preparation of its rows.
    """

    bytes: int
    parameters: int | None
    nonzero: int | None
    seconds: dict[tuple[int, int], float]


@dataclass(frozen=True)
class ClassCost:
    """Which part of a class gets the right label before and after a step, on the same rows.

    Attributes:
        label: The class.
        rows: Its rows, whatever their weight.
        before, after: Recall, by the rows' weights; None without rows of some weight.
        difference, low, high: Of the recalls, with the paired 95 % interval.
        lost, gained: Rows that were right before only, and that are right after only.
    """

    label: str
    rows: int
    before: float | None
    after: float | None
    difference: float | None
    low: float | None
    high: float | None
    lost: int
    gained: int

    def keeps(self, most_drop: float) -> bool:
        """Whether the recall falls by no more than `most_drop`; the net loss of a single row, which tells nothing of a
        small class, is allowed as well."""
        return self.lost - self.gained <= 1 or -(self.difference or 0.0) <= most_drop + 1e-12


def size_of(model: Model, rows: Dataset) -> Size:
    """Bytes, parameters and latency of a model.

    Args:
        model: On the CPU.
        rows: Rows that it predicts while it is timed.
    """
    networks = [member.network for member in model.members]
    counts = [_parameters(network) for network in networks]
    known = [count for count in counts if count is not None]
    complete = len(known) == len(counts)
    return Size(
        bytes=sum(stored_bytes(network) for network in networks),
        parameters=sum(count for count, _ in known) if complete else None,
        nonzero=sum(nonzero for _, nonzero in known) if complete else None,
        seconds=latencies(model, rows),
    )


def stored_bytes(network: nn.Module) -> int:
    """Bytes of a network's weights in the model's folder."""
    if isinstance(network, OnnxModule):
        return len(network.to_onnx())
    if isinstance(network, TextModule):
        return len(network.to_text())
    if isinstance(network, ArrayModule):
        return sum(array.nbytes for array in network.to_arrays().values())
    short = 4 if stored_precision(network) == "float32" else 2
    state = network.state_dict().values()
    return sum(one.numel() * (short if one.is_floating_point() else one.element_size()) for one in state)


def latencies(model: Model, rows: Dataset) -> dict[tuple[int, int], float]:
    """(threads, batch) -> median seconds of the prediction of a batch: one thread and all, batches of 1 and 64."""
    every = os.process_cpu_count() if hasattr(os, "process_cpu_count") else len(os.sched_getaffinity(0))
    found = {}
    for batch in BATCHES:
        repeated = rows.take(np.arange(batch) % len(rows))
        inputs = [member.prepared.inputs(repeated) for member in model.members]
        for count in sorted({1, every or 1}):

            def predict(inputs: list[dict[str, torch.Tensor]] = inputs, batch: int = batch) -> None:
                for member, x in zip(model.members, inputs, strict=True):
                    logits(member.network, x, "cpu", batch, member.views)

            with threads(count):
                found[count, batch] = median_seconds(predict)
    return found


def median_seconds(work: Callable[[], object]) -> float:
    """The median time of some repeats, after one that is not counted."""
    work()
    taken: list[float] = []
    while len(taken) < FEWEST_REPEATS or (len(taken) < MOST_REPEATS and sum(taken) < REPEAT_SECONDS):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))


def class_costs(rows: Dataset, before: np.ndarray, after: np.ndarray) -> list[ClassCost]:
    """The change of each class's recall.

    Args:
        rows: Labelled rows of classes.
        before, after: ``(n,)`` decided codes.
    """
    own = [np.flatnonzero(rows.codes == code) for code in range(rows.n_classes)]
    return [_class_cost(rows.take(chosen), code, before[chosen], after[chosen]) for code, chosen in enumerate(own)]


def _class_cost(rows: Dataset, code: int, before: np.ndarray, after: np.ndarray) -> ClassCost:
    label, was, now = rows.classes[code], before == code, after == code
    weight = np.ones(len(rows)) if rows.weight is None else rows.weight
    lost, gained = int((was & ~now).sum()), int((now & ~was).sum())
    changed = weighted_difference(was, now, weight, rows.group)
    if changed is None:
        return ClassCost(label, len(rows), None, None, None, None, None, lost, gained)
    recalls = [float(np.average(right, weights=weight)) for right in (was, now)]
    return ClassCost(label, len(rows), recalls[0], recalls[1], *changed, lost, gained)


def _parameters(network: nn.Module) -> tuple[int, int] | None:
    """All parameters and those that are not zero; None for what has no torch parameters."""
    if isinstance(network, OnnxModule | TextModule | ArrayModule):
        return None
    parameters = list(network.parameters())
    return sum(one.numel() for one in parameters), int(sum(one.count_nonzero() for one in parameters))

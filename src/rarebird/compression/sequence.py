"""Runs the steps of a compression in order, measures each, and stops at the last one that keeps the floor."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rarebird.compression import steps
from rarebird.compression.costs import costs_on_test_rows, explanation_agreement, held_out_costs, keeps_floor
from rarebird.compression.measurement import ClassCost, Size, size_of
from rarebird.compression.steps import Settings
from rarebird.compression.subject import Subject
from rarebird.core.checks import DataError
from rarebird.core.clock import end_of_share
from rarebird.core.compute import Compute
from rarebird.core.progress import part_of
from rarebird.evaluation import held_out
from rarebird.evaluation.result import Scores
from rarebird.explanation.agreement import Agreement


@dataclass(frozen=True, eq=False)
class Measured:
    """A model after a step.

    Attributes:
        step: Name of the step, ``original`` for the given model.
        subject: The model, with the rows that judge it.
        size: What it takes.
        scores: On the test rows; without any, on held-out rows, by calibrations and a decision of other rows.
        costs: Change of each class's recall against the given model on the rows that decide; empty for the given model.
        test_costs: The same on the test rows.
        kept: Whether every class keeps the floor on the rows that decide.
        seconds: Time that the step took.
        note: What the step did, for people.
        reasons: How alike it explains the same rows as the given model, per class; empty where that takes too long.
    """

    step: str
    subject: Subject
    size: Size
    scores: Scores
    costs: Sequence[ClassCost] = ()
    test_costs: Sequence[ClassCost] = ()
    kept: bool = True
    seconds: float = 0.0
    note: str = ""
    reasons: Sequence[Agreement] = ()


def compressed(
    original: Subject, names: Sequence[str], settings: Settings, most_drop: float, compute: Compute
) -> list[Measured]:
    """The given model and the model after each step, in order; the last one that keeps the floor is the result.

    Within a step, pruning takes the last round and quantization the first model that keeps the floor.

    Args:
        original: The given model.
        names: Steps among `steps.NAMES`.
        settings: How they work.
        most_drop: How far the recall of a class may fall.
        compute: Device, deadline and progress.

    Raises:
        DataError: A step cannot be taken on this model.
    """
    found = [_measured("original", original, original)]
    for place, name in enumerate(names):
        start = time.monotonic()
        progress = part_of(compute.progress, place / len(names), 1 / len(names))
        deadline = end_of_share(compute.deadline, start, len(names) - place)
        part = replace(compute, progress=progress, deadline=deadline)
        progress(0.0, name)
        before = found[-1].subject
        chosen, note = _chosen(original, _tried(name, original, before, settings, most_drop, part), most_drop, name)
        added = [one for one in chosen.splits.notes if one not in before.splits.notes]
        note = " ".join([*([note] if note else []), *added])
        measured = _measured(name, chosen, original, found[0].size)
        kept = keeps_floor(list(measured.costs), most_drop)
        found.append(replace(measured, kept=kept, seconds=time.monotonic() - start, note=note))
        if not kept:
            break
    return found


def _tried(
    name: str, original: Subject, subject: Subject, settings: Settings, most_drop: float, compute: Compute
) -> Iterator[Subject]:
    if name == "distill":
        return steps.distilled(subject, settings, compute)
    if name == "prune":
        return steps.pruned(subject, settings, compute)
    if name == "quantize":
        return steps.quantized(
            subject, settings, lambda one: keeps_floor(held_out_costs(original, one), most_drop), compute
        )
    raise DataError(f"There is no step {name!r}; valid names are {', '.join(steps.NAMES)}.")


def _chosen(original: Subject, tried: Iterator[Subject], most_drop: float, name: str) -> tuple[Subject, str]:
    """The last of the tried models that keeps the floor; of quantized ones, which begin with the smallest, the first;
    if none does, the first one tried."""
    best: Subject | None = None
    first: Subject | None = None
    count = 0
    for one in tried:
        first = one if first is None else first
        count += 1
        if keeps_floor(held_out_costs(original, one), most_drop):
            best = one
            if name == "quantize":
                break
        elif best is not None:
            break
    assert first is not None
    if name == "prune":
        return best or first, f"{count} of {steps.ROUNDS} rounds were tried."
    if best is None and count > 1:
        return first, f"{count} int8 models were tried, and none keeps the floor."
    return best or first, (best or first).note


def _measured(step: str, subject: Subject, original: Subject, before: Size | None = None) -> Measured:
    """The model after a step; `before` is the size of the given model."""
    rows, model = subject.splits.test, subject.model
    if rows is None:
        held = subject.completed
        known = ~(held.outputs != held.outputs).any(axis=1)
        scores = held_out.scores_of_outputs(
            model, subject.scored.take(known.nonzero()[0]), held.outputs[known], held.labels[known]
        )
    else:
        scores = held_out.scores_of_outputs(model, rows, model.outputs(rows))
    size = size_of(model, subject.splits.train if rows is None else rows)
    if subject is original:
        return Measured(step, subject, size, scores)
    slower = _seconds_of_row(size) if before is None else max(map(_seconds_of_row, (size, before)))
    return Measured(
        step,
        subject,
        size,
        scores,
        held_out_costs(original, subject),
        costs_on_test_rows(original, subject),
        reasons=explanation_agreement(original, subject, slower),
    )


def _seconds_of_row(size: Size) -> float:
    """Time of the prediction of a row in the largest batch that was measured."""
    batch = max(batch for _, batch in size.seconds)
    return max(seconds for (_, rows), seconds in size.seconds.items() if rows == batch) / batch

"""Synthetic rows that teach a student: those of rare classes that the gate passes, labelled by the model.

Rows beside the training rows show a student more of what its teacher knows (Bucila, Caruana and Niculescu-Mizil, "Model
compression", KDD 2006, make them by mixing cells of near rows). Here a generator of the slot `synthesis` makes them of
the classes that it fills, from the rows that the student learns from alone, and each class's rows must pass the gate.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from rarebird.core import rng
from rarebird.core.checks import DataError, some
from rarebird.core.compute import Compute
from rarebird.core.progress import part_of
from rarebird.data.dataset import Dataset
from rarebird.data.row_counts import counted
from rarebird.methods.synthesis import _gate
from rarebird.slots.gate_verdict import ClassVerdict
from rarebird.training.synthesis import SHARE, filled, lacking


@dataclass(frozen=True, eq=False)
class PassedRows:
    """Synthetic rows of the classes that the gate passes.

    Attributes:
        rows: With the class that each was made of.
        notes: Sentences on the classes, for the user.
    """

    rows: Dataset
    notes: tuple[str, ...]


def passed_rows(method: Any, learned: Dataset, compute: Compute, seed: int) -> PassedRows:
    """Fit a generator, ask the gate, and fill the classes that it passes.

    Args:
        method: Of the slot `synthesis`.
        learned: The labelled rows that the student learns from; no other row is seen.
        compute: Where it learns; it takes a share of the time until the deadline.
        seed: Of all draws.

    Raises:
        DataError: The rows are not of classes, no class lacks rows, or the gate rejects the rows of each class.
    """
    if learned.task != "classification":
        raise DataError("Synthetic rows are made of classes, but the model predicts a number; leave out --synthesis.")
    rows = counted(learned)
    lack = lacking(method, rows)
    codes = np.flatnonzero(lack)
    if not len(codes):
        raise DataError(
            "No class has fewer rows than --synthesis fills the classes to, so that it makes none; leave it out, or "
            "set synthesis.ratio."
        )
    if compute.deadline is not None:
        seconds = SHARE * max(compute.deadline - time.monotonic(), 0.0) / (_gate.PARTS + 1)
        method = method.planned(rows, compute, seconds)
    telling = Compute(compute.device, None, part_of(compute.progress, 0.0, SHARE))
    verdict = _gate.judge(method, learned, codes.tolist(), telling, seed)
    passing = [code for code, one in zip(codes, verdict.classes, strict=True) if one.passes]
    if not passing:
        raise DataError(
            f"The gate rejects the rows that {method.name} makes: {_reasons(verdict.classes)}. Leave out --synthesis, "
            "or give another method."
        )
    lack[np.setdiff1d(np.arange(len(lack)), passing)] = 0
    draw = rng.stream(seed, "synthesis", "student")
    found = filled(method.fit(rows, Compute(compute.device), draw), rows, lack, method.weight, draw)
    made = found.rows.take(np.arange(len(rows), len(found.rows)))
    return PassedRows(made, (*_notes(method.name, made, verdict.classes), *found.notes))


def _notes(name: str, made: Dataset, verdicts: tuple[ClassVerdict, ...]) -> list[str]:
    labels = some(repr(one.label) for one in verdicts if one.passes)
    notes = [
        f"{len(made)} synthetic rows by {name} teach the student, labelled by the model; the gate passes {labels}."
    ]
    rejected = tuple(one for one in verdicts if not one.passes)
    return [*notes, f"The gate rejects the rows that {name} makes: {_reasons(rejected)}."] if rejected else notes


def _reasons(verdicts: tuple[ClassVerdict, ...]) -> str:
    return some(f"{one.label!r}, {one.reason}" for one in verdicts)

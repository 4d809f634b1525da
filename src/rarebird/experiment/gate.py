"""A run's generator behind the gate: only classes whose new rows pass get any, and the recipe records which.

The gate is asked once for a run, and sees the training rows of the first part alone. Each part's generator learns from
other rows of the same kind, and would be judged on fewer.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from rarebird.core.compute import Compute
from rarebird.core.progress import part_of
from rarebird.data.dataset import Dataset
from rarebird.data.row_counts import counted
from rarebird.evaluation.result import ExternalEffect, Result, SyntheticRows
from rarebird.experiment.setup import Setup
from rarebird.methods.synthesis import _gate
from rarebird.recipe import ensemble
from rarebird.recipe.ensemble import AnyRecipe, Ensemble, Weighted
from rarebird.recipe.recipe import Recipe
from rarebird.slots.gate_verdict import GateVerdict
from rarebird.training.synthesis import SHARE, lacking

# Classes that are judged, at most, the rarest first: each takes time, and those of most rows lack few.
MOST_CLASSES = 8


def is_open(recipe: Recipe, train: Dataset) -> bool:
    """Whether the gate must decide which classes the recipe's generator fills."""
    method: Any = recipe.synthesis
    return method is not None and method.classes is None and train.task == "classification"


def judged(recipe: Recipe, train: Dataset, compute: Compute, trainings: int) -> tuple[Recipe, GateVerdict]:
    """The recipe with the classes whose new rows pass, and the verdict.

    Args:
        recipe: Its `synthesis` is open (`is_open`).
        train: Training rows.
        compute: With a deadline, the generator learns within its share of the time.
        trainings: Models that are trained afterwards.
    """
    method: Any = recipe.synthesis
    rows = counted(train)
    if compute.deadline is not None:
        seconds = SHARE * max(compute.deadline - time.monotonic(), 0.0) / (_gate.PARTS + trainings)
        method = method.planned(rows, compute, seconds)
    lack, counts = lacking(method, rows), np.bincount(rows.codes, minlength=rows.n_classes)
    codes = sorted(np.flatnonzero(lack).tolist(), key=lambda code: counts[code])
    codes = [code for code in codes if counts[code] >= _gate.FEWEST_ROWS][:MOST_CLASSES]
    telling = Compute(compute.device, None, part_of(compute.progress, 0.0, 0.0))
    verdict = _gate.judge(method, train, codes, telling, recipe.seed)
    return recipe.updated(synthesis=method.model_copy(update={"classes": verdict.passing})), verdict


def gated(recipe: AnyRecipe, setup: Setup, compute: Compute) -> tuple[AnyRecipe, list[GateVerdict]]:
    """The recipe with the classes that its open generators may fill, and the verdict on each; members of an ensemble
    have theirs."""
    train, found, members = setup.splits.train, [], []
    for weight, one in ensemble.members(recipe):
        if is_open(one, train):
            # The rows that the first part holds out judge its model, and so decide nothing about it.
            learned, _ = setup.parts(one.seed if setup.protocol.folds else recipe.seed)[0]
            one, verdict = judged(one, train.take(learned), compute, max(setup.protocol.folds, 1))
            found.append(verdict)
        members.append(Weighted.of(one, weight))
    if not found:
        return recipe, []
    return (recipe.updated(members=members) if isinstance(recipe, Ensemble) else members[0].alone), found


def with_synthesis(
    result: Result, verdicts: Sequence[GateVerdict], used: bool | None = None, effect: ExternalEffect | None = None
) -> Result:
    """The result with what the gate found, and with sentences on it; as it is where no generator was tried.

    Args:
        result: Of the run.
        verdicts: Of the gate.
        used: Whether the model learned from such rows; None: from all that pass.
        effect: Whether they help.
    """
    if not verdicts:
        return result
    used = any(one.passing for one in verdicts) if used is None else used
    notes = []
    for verdict in verdicts:
        for one in verdict.classes:
            what = "passes" if one.passes else "rejects"
            notes.append(f"The gate {what} rows of {one.label!r} that {verdict.method} makes: {one.reason}.")
        if not verdict.classes:
            notes.append(f"No class has enough rows to judge those that {verdict.method} makes, so it makes none.")
    if effect is not None:
        notes.append(
            f"With synthetic rows, the held-out loss of {effect.recipe} is {effect.loss_with:.4f}, without them "
            f"{effect.loss_without:.4f} (difference {effect.difference:+.4f} [{effect.low:+.4f}, {effect.high:+.4f}])."
        )
    notes.append(f"The final model {'learned' if used else 'did not learn'} from synthetic rows.")
    found = SyntheticRows(used=used, verdicts=tuple(verdicts), effect=effect)
    return result.model_copy(update={"synthesis": found}).with_notes(*notes)

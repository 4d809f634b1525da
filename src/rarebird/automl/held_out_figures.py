"""The run's metric of single recipes of a search, on held-out rows: what the final model is shown beside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rarebird.automl.candidate import TrainingContext
from rarebird.automl.ensemble_selection import Family
from rarebird.evaluation import held_out
from rarebird.evaluation.estimate import Estimate
from rarebird.evaluation.scoring import score, score_regression
from rarebird.evaluation.search_history import Tried
from rarebird.metrics import names
from rarebird.model.held_out_rows import HeldOutRows
from rarebird.recipe.recipe import Recipe

# Decisions of more parts are merged: each costs a fit.
MOST_PARTS = 5


def with_figures(
    rows: Sequence[Tried], ranked: Sequence[Family], context: TrainingContext, base: Recipe
) -> list[Tried]:
    """The rows, those of the best reference and of the default recipe with the run's metric.

    Args:
        rows: Of the families, the best first.
        ranked: The families in the same order.
        context: The held-out rows and their parts.
        base: Its metric and decision are used.
    """
    best = next((row.name for row in rows if row.is_reference), None)
    shown = {best, *(row.name for row in rows if row.is_default)}
    return [
        row.model_copy(update={"figure": _figure(family.predicted, context, base)}) if row.name in shown else row
        for row, family in zip(rows, ranked, strict=True)
    ]


def _figure(predicted: np.ndarray, context: TrainingContext, base: Recipe) -> Estimate | None:
    """The metric with its interval; None where the decision needs more than probabilities.

    Args:
        predicted: ``(n, n_outputs)`` held-out probabilities or values; NaN for rows that were not held out.
        context: The rows.
        base: The recipe.
    """
    scored = context.setup.scored_rows
    kept = np.flatnonzero(np.isfinite(predicted).all(axis=1))
    rows, outputs = scored.take(kept), predicted[kept]
    assert rows.y is not None
    if rows.task == "regression":
        found = score_regression(rows.y, outputs[:, 0], weight=rows.weight, group=rows.group, seed=base.seed)
        return found.metrics.get(base.metric)
    positive = None if context.setup.positive is None else rows.classes.index(context.setup.positive)
    kind, colon, label = base.metric.partition(":")
    labels = _labels(HeldOutRows(outputs, rows.codes, rows.weights), context, base, kept)
    scores = score(
        *(rows.codes, outputs, labels, rows.classes),
        weight=rows.weight,
        group=rows.group,
        positive=positive if len(rows.classes) == 2 else None,
        seed=base.seed,
    )
    if colon and kind in names.PER_CLASS:
        return next((getattr(row, kind) for row in scores.per_class if row.label == label), None)
    return scores.metrics.get(base.metric)


def _labels(rows: HeldOutRows, context: TrainingContext, base: Recipe, kept: np.ndarray) -> np.ndarray:
    """``(n,)`` labels of the kept rows, those of each part by a decision that was fitted on the others."""
    labels, train = np.empty(len(rows), dtype=np.int64), context.setup.splits.train
    parts = np.unique(context.parts[kept], return_inverse=True)[1] % MOST_PARTS
    for part in np.unique(parts):
        mine = parts == part
        others = rows if mine.all() else rows.where(~mine)
        _, fitted = held_out.decide(base, others, train.prior, train.classes, context.setup.positive)
        labels[mine] = fitted(rows.outputs[mine])
    return labels

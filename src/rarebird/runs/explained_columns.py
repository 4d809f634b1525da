"""Which columns of a table matter, and how the output depends on them: for `explain` and for the report of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rarebird.core.progress import Progress, silent
from rarebird.data.dataset import Dataset
from rarebird.explanation.effects import ColumnEffect, column_effects
from rarebird.explanation.explain import Explainer
from rarebird.explanation.permutation_importance import MOST_ROWS, Importance, permutation_importance
from rarebird.metrics.uncertainty import Z
from rarebird.report.figures.amounts import effect_svg, importance_bars
from rarebird.report.pages.explanation import Bar, Effect
from rarebird.report.wording import number
from rarebird.runs.explained_rows import TITLES, Predicted

# Groups of columns on the page, and columns whose effect is drawn; rows whose amounts are averaged without labels.
MOST_SHOWN, MOST_EFFECTS, MOST_AVERAGED = 15, 6, 100


@dataclass(frozen=True)
class ColumnImportance:
    """The importance of a table's columns.

    Attributes:
        groups: Permutation importance; empty for rows without labels.
        sizes: Column -> mean size of its amounts with its 95 % interval, for rows without labels.
        measure: What is measured, in a sentence.
    """

    groups: tuple[Importance, ...] = ()
    sizes: tuple[tuple[str, float, float, float], ...] = ()
    measure: str = ""

    def bars(self) -> tuple[Bar, ...]:
        """The most important ones as bars."""
        if self.groups:
            shown = self.groups[:MOST_SHOWN]
            names = [", ".join(one.columns) for one in shown]
            values = np.array([one.increase for one in shown])
            return importance_bars(names, values, np.array([[one.low, one.high] for one in shown]))
        sizes = self.sizes[:MOST_SHOWN]
        ends = np.array([one[2:] for one in sizes]).reshape(-1, 2)
        return importance_bars([one[0] for one in sizes], np.array([one[1] for one in sizes]), ends)

    @property
    def columns(self) -> list[str]:
        """All columns, the most important first."""
        if self.groups:
            return [column for one in self.groups for column in one.columns]
        return [one[0] for one in self.sizes]

    def for_machines(self) -> list[dict[str, Any]]:
        """Plain values, the most important first."""
        if self.groups:
            return [
                {"columns": list(one.columns), "increase": one.increase, "low": one.low, "high": one.high}
                | ({} if one.recall_drop is None else {"balanced_accuracy_drop": one.recall_drop})
                for one in self.groups
            ]
        return [{"columns": [name], "size": size, "low": low, "high": high} for name, size, low, high in self.sizes]


def importance_of(
    explainer: Explainer,
    predicted: Predicted,
    rng: np.random.Generator,
    repeats: int,
    most_rows: int = MOST_ROWS,
    progress: Progress = silent,
) -> ColumnImportance:
    """Permutation importance of labelled rows; of rows without labels the mean size of the amounts.

    Args:
        explainer: Of the model.
        predicted: The rows.
        rng: Draws the shuffles.
        repeats: Shuffles of each group.
        most_rows: Rows at most; each class keeps its share.
        progress: Told of the share done.
    """
    labelled = labelled_rows(explainer, predicted)
    if labelled is None:
        return _sizes(explainer, predicted)
    some = labelled.take(_spread(labelled, most_rows))
    found = permutation_importance(explainer.shipped, some, rng, repeats, progress)
    classes = bool(explainer.shipped.model.classes)
    loss = "log loss (every class counts the same)" if classes else "squared error, over the variance,"
    measure = (
        f"Permutation importance: how much the {loss} rises where the values of the columns are shuffled among "
        f"{len(some):,} rows; mean of {repeats} shuffles with a 95 % interval over rows. Columns that say nearly the "
        "same are shuffled together."
    )
    return ColumnImportance(tuple(found), (), measure)


def effects_of(explainer: Explainer, rows: Dataset, code: int, columns: Sequence[str]) -> tuple[Effect, ...]:
    """How the output of a class depends on the first of these columns, as figures."""
    found = column_effects(explainer.shipped, rows, code, list(columns)[:MOST_EFFECTS])
    return tuple(
        Effect(name=one.column, svg=effect_svg(one, place, _about(one)), about=_about(one))
        for place, one in enumerate(found)
    )


def labelled_rows(explainer: Explainer, predicted: Predicted) -> Dataset | None:
    """The rows whose truth is known, in the model's classes; None if there are fewer than two."""
    classes = explainer.shipped.model.classes
    if predicted.truth is None:
        return None
    known = np.flatnonzero(predicted.truth >= 0) if classes else np.flatnonzero(np.isfinite(predicted.truth))
    if len(known) < 2:
        return None
    return replace(predicted.rows.take(known), y=predicted.truth[known], classes=classes)


def _about(effect: ColumnEffect) -> str:
    size = number(float(np.ptp(effect.effect)))
    kind = "Accumulated local effect" if effect.accumulated else "Partial dependence"
    return f"{kind}: the output changes by {size} over the values; the band holds 95 % of samples."


def _spread(rows: Dataset, most: int) -> np.ndarray:
    """Up to `most` rows, evenly in the order of the classes or values; of a class of few rows each."""
    if len(rows) <= most:
        return np.arange(len(rows))
    assert rows.y is not None
    order = np.argsort(rows.y, kind="stable")
    if rows.task == "regression":
        return np.sort(order[np.linspace(0, len(order) - 1, most).astype(np.int64)])
    counts = np.bincount(rows.codes)
    share = max(1, most // max(int((counts > 0).sum()), 1))
    # Every class counts the same in the loss, so that a rare one keeps all its rows before a common one gets more.
    parts = [np.flatnonzero(rows.codes == code) for code in np.flatnonzero(counts)]
    return np.sort(
        np.concatenate([one[np.unique(np.linspace(0, len(one) - 1, share).astype(np.int64))] for one in parts])
    )


def _sizes(explainer: Explainer, predicted: Predicted) -> ColumnImportance:
    rows = predicted.rows
    some = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST_AVERAGED)).astype(np.int64))
    codes = predicted.labels[some] if explainer.shipped.model.classes else np.zeros(len(some))
    method = explainer.main_method()
    amounts = explainer.explain(rows.take(some), codes.astype(np.int64), method)
    sizes = np.abs(amounts.values)
    mean = sizes.mean(axis=0)
    half = Z * sizes.std(axis=0, ddof=1) / np.sqrt(len(sizes)) if len(sizes) > 1 else np.zeros_like(mean)
    order = np.argsort(-mean, kind="stable").tolist()
    found = tuple((amounts.names[one], float(mean[one]), *_ends(mean[one], half[one])) for one in order)
    measure = (
        f"The rows have no labels, so that no permutation importance can be measured. Shown is the mean size of the "
        f"amounts ({TITLES[method]}) over {len(some)} rows, with a 95 % interval over rows."
    )
    return ColumnImportance((), found, measure)


def _ends(mean: float, half: float) -> tuple[float, float]:
    return float(max(mean - half, 0.0)), float(mean + half)

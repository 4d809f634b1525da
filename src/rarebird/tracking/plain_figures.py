"""Figures of a result as matplotlib's own, for tools that show pictures and no pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from rarebird.report.figures.drawing import figure_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rarebird.evaluation.result import Result, Scores

MOST_CLASSES = 30


def figures(result: Result) -> Iterator[tuple[str, Figure]]:
    """Name and figure: the confusion of classes as shares of the true class, and each class's recall with its
    interval; for numbers, the predicted against the true values."""
    scores = result.test or result.validation
    if scores is None:
        return
    with figure_style() as figure:
        if result.task == "regression":
            curve = scores.curves["residuals"]
            drawn = figure(4.5, 4.5)
            axes = drawn.add_subplot()
            axes.scatter(curve["true"], curve["predicted"], s=9, alpha=0.6)
            axes.axline((0, 0), slope=1, linewidth=1, linestyle="--")
            axes.set(xlabel="true value", ylabel="predicted value")
            yield "predicted_against_true", drawn
        elif len(result.classes) <= MOST_CLASSES:
            yield "confusion", _confusion(figure(5, 4.5), result.classes, scores)
            yield "recall", _recall(figure(5, 1 + 0.3 * len(result.classes)), scores)


def _confusion(figure: Figure, classes: list[str], scores: Scores) -> Figure:
    counts = np.array(scores.confusion, dtype=float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes = figure.add_subplot()
    axes.grid(False)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    places = range(len(classes))
    axes.set_xticks(places, classes, rotation=45, ha="right")
    axes.set_yticks(places, classes)
    axes.set(xlabel="label", ylabel="true class")
    if len(classes) <= 12:
        for row, column in np.ndindex(counts.shape):
            color = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, f"{counts[row, column]:.0f}", ha="center", va="center", color=color)
    return figure


def _recall(figure: Figure, scores: Scores) -> Figure:
    axes = figure.add_subplot()
    for place, row in enumerate(scores.per_class):
        if row.recall.value is not None:
            low, high = row.recall.low, row.recall.high
            if low is not None and high is not None:
                axes.plot([low, high], [place, place], color="#0072b2")
            axes.plot(row.recall.value, place, "o", color="#0072b2")
    axes.set_yticks(range(len(scores.per_class)), [f"{row.label} ({row.support} rows)" for row in scores.per_class])
    axes.set(xlim=(0, 1), xlabel="recall, 95 % interval")
    return figure

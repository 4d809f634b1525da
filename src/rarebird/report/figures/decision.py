"""Figures of a decision: its cost while one class's mistakes become dearer, and its errors while fewer rows are
labelled."""

from __future__ import annotations

import numpy as np

from rarebird.evaluation.decision_result import AbstentionScore, CostCurve
from rarebird.report.figures.drawing import COLORS, DASHES, Drawing, Key, figure_style, svg_text


def cost_curve(curve: CostCurve) -> Drawing:
    """Cost relative to the best constant label, against what mistakes on one class cost."""
    factor = np.array(curve.factor)
    with figure_style() as new_figure:
        figure = new_figure(5.6, 4.2)
        axes = figure.subplots()
        axes.axhline(1, color=COLORS["muted"], linewidth=1, dashes=DASHES[1])
        axes.axvline(1, color=COLORS["muted"], linewidth=1, dashes=DASHES[2])
        axes.plot(factor, curve.decided, color=COLORS["series-0"])
        axes.plot(factor, curve.most_probable, color=COLORS["series-1"], dashes=DASHES[1])
        axes.set(xscale="log", xlim=(factor.min(), factor.max()), ylim=(0, _top(curve)))
        axes.set(xlabel="cost of the class's mistakes, times", ylabel="cost, relative to one label for all rows")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_formatter(lambda value, _: "")
        svg = svg_text(figure, "cost", "Cost of the labels while the mistakes on one class become dearer.")
    key = (
        Key("labels of least expected cost", "series-0"),
        Key("most probable class", "series-1", DASHES[1]),
        Key("one label for all rows", "muted", DASHES[1]),
    )
    return Drawing(svg, key)


def error_curve(found: AbstentionScore) -> Drawing:
    """Share of wrong labels against the share of rows that are labelled, the surest first."""
    labelled, error = (np.array(found.curve[name]) for name in ("labelled", "error"))
    with figure_style() as new_figure:
        figure = new_figure(5.6, 4.2)
        axes = figure.subplots()
        axes.plot(labelled, error, color=COLORS["series-0"])
        if found.left.value is not None:
            axes.axvline(1 - found.left.value, color=COLORS["muted"], linewidth=1, dashes=DASHES[2])
        axes.set(xlim=(0, 1.02), ylim=(0, max(float(error.max()) * 1.1, 0.01)))
        axes.set(xlabel="share of the rows that are labelled", ylabel="share of these labels that is wrong")
        svg = svg_text(figure, "errors", "Share of wrong labels against the share of rows that are labelled.")
    return Drawing(svg, (Key("this model", "series-0"), Key("labelled now", "muted", DASHES[2])))


def _top(curve: CostCurve) -> float:
    """The upper end of the axis: costs of the most probable class may be many times those of one label for all."""
    return float(max(1.2, 1.1 * max(curve.decided), min(2.0, 1.1 * max(curve.most_probable))))

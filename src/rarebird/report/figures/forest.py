"""The forest plot: differences with their intervals, one line each, and a dashed line at no difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rarebird.core.checks import require
from rarebird.report.figures.drawing import COLORS, DASHES, Drawing, Key, figure_style, svg_text

# Verdict -> color and marker; color-blind readers can tell the markers apart.
LOOKS = {
    "helps": ("series-2", "o"),
    "hurts": ("series-1", "s"),
    "too few rows to tell": ("muted", "d"),
    "too few steps to tell": ("muted", "x"),
}
INCHES_A_LINE, SHORTEST = 0.24, 1.3


def forest(rows: Sequence[Mapping[str, Any]], axis: str, name: str = "forest") -> Drawing:
    """Differences from top to bottom in the order given.

    Args:
        rows: ``{"label", "difference", "low", "high", "verdict"}`` each; one without a difference is not drawn, one
            without an interval is drawn as a point.
        axis: Label of the axis of differences.
        name: Prefix of the ids in the SVG.
    """
    drawn = [row for row in rows if row["difference"] is not None]
    require(bool(drawn), "at least one row with a difference", rows=len(rows))
    with figure_style() as new_figure:
        figure = new_figure(7.2, max(SHORTEST, 0.75 + INCHES_A_LINE * len(drawn)))
        axes = figure.subplots()
        axes.axvline(0, color=COLORS["muted"], linewidth=1, dashes=DASHES[1])
        for place, row in enumerate(drawn):
            color, marker = LOOKS[row["verdict"]]
            if row["low"] is not None and row["high"] is not None:
                axes.hlines(place, row["low"], row["high"], color=COLORS[color], linewidth=2)
            axes.plot(row["difference"], place, marker, color=COLORS[color], markersize=5)
        axes.set_yticks(range(len(drawn)), [row["label"] for row in drawn])
        axes.set(ylim=(len(drawn) - 0.4, -0.6), xlabel=axis)
        axes.grid(False, axis="y")
        svg = svg_text(figure, name, f"Forest plot: {axis}, with 95 % intervals, one line each.")
    shown = {row["verdict"] for row in drawn}
    key = tuple(Key(verdict, color) for verdict, (color, _) in LOOKS.items() if verdict in shown)
    absent = len(rows) - len(drawn)
    return Drawing(svg, key, f"Not drawn, because they could not be judged: {absent}." if absent else "")

"""Reliability curves of a run's report: of the most probable class, and of each class by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rarebird.core.checks import require
from rarebird.metrics.uncertainty import wilson
from rarebird.report.figures.drawing import COLORS, DASHES, SERIES, Drawing, Key, figure_style, svg_text

# Curves that reach below this probability have logarithmic axes, on which a rare class is seen.
SMALL = 0.02

Bins = Sequence[Mapping[str, float]]


def reliability(bins: Sequence[Mapping[str, float]]) -> Drawing:
    """Share of rows that are of their most probable class at each probability of it, with 95 % Wilson intervals; below
    it the number of rows in each bin.

    Args:
        bins: ``{"confidence", "accuracy", "count"}`` per bin of the top probability; empty bins are skipped.
    """
    filled = [entry for entry in bins if entry["count"] > 0]
    require(bool(filled), "at least one bin that holds rows", bins=len(bins))
    confidence, accuracy, count = (
        np.array([entry[name] for entry in filled], dtype=float) for name in ("confidence", "accuracy", "count")
    )
    low, high = wilson(accuracy, count)
    with figure_style() as new_figure:
        figure = new_figure(5.6, 4.6)
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3.4, 1))
        top.plot([0, 1], [0, 1], color=COLORS["muted"], linewidth=1, dashes=DASHES[1])
        top.vlines(confidence, low, high, color=COLORS["series-0"], linewidth=2, alpha=0.45)
        top.plot(confidence, accuracy, color=COLORS["series-0"], marker="o", markersize=5)
        top.set(xlim=(0, 1.02), ylim=(-0.02, 1.02), ylabel="share that is of this class")
        bottom.bar(confidence, count, width=0.03, color=COLORS["series-0"])
        bottom.set(xlabel="probability of the most probable class", ylabel="rows", ylim=(0, float(count.max()) * 1.35))
        bottom.locator_params(axis="y", nbins=2, integer=True)
        for x, n in zip(confidence, count, strict=True):
            bottom.annotate(
                f"{n:.0f}", (x, n), (0, 2), textcoords="offset points", ha="center", fontsize=7, color=COLORS["muted"]
            )
        svg = svg_text(
            figure,
            "reliability",
            "Reliability curve: how often the most probable class is the true one, against its probability.",
        )
    key = (Key("this model, 95 % intervals", "series-0"), Key("perfectly calibrated", "muted", DASHES[1]))
    return Drawing(svg, key)


def class_reliability(bins: Mapping[str, Bins], order: Sequence[str], details: Mapping[str, str]) -> Drawing:
    """Share of a class at each stated probability of it, one line per class, with 95 % intervals.

    Args:
        bins: Class label -> ``{"stated", "share", "low", "high", "count"}`` per bin.
        order: The labels, the rarest class first; of more than six classes, the first six are drawn.
        details: Class label -> text after the label in the key.
    """
    require(bool(bins), "at least one class", classes=len(bins))
    drawn = [label for label in order if label in bins][: len(SERIES)]
    stated = [entry["stated"] for label in drawn for entry in bins[label]]
    floor = max(min(stated) / 4, 1e-6)
    logarithmic = min(stated) < SMALL
    key = []
    with figure_style() as new_figure:
        figure = new_figure(5.6, 4.6)
        axes = figure.subplots()
        axes.plot([floor, 1], [floor, 1], color=COLORS["muted"], linewidth=1, dashes=DASHES[1])
        for label, color, dashes in zip(drawn, SERIES, DASHES, strict=False):
            x, y, low, high = (
                np.array([entry[name] for entry in bins[label]]) for name in ("stated", "share", "low", "high")
            )
            if logarithmic:
                x, y, low = np.maximum(x, floor), np.maximum(y, floor), np.maximum(low, floor)
            axes.vlines(x, low, high, color=COLORS[color], linewidth=2, alpha=0.45)
            axes.plot(x, y, color=COLORS[color], dashes=dashes or (None, None), marker="o", markersize=5)
            key.append(Key(label, color, dashes, details.get(label, ""), is_name=True))
        if logarithmic:
            axes.set(xscale="log", yscale="log", xlim=(floor, 1.1), ylim=(floor * 0.9, 1.1))
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_formatter(lambda value, _: f"{value:g}")
                axis.set_minor_formatter(lambda value, _: "")
        else:
            axes.set(xlim=(0, 1.02), ylim=(-0.02, 1.02))
        axes.set(xlabel="stated probability of the class", ylabel="share that is of this class")
        svg = svg_text(
            figure, "class_reliability", "Reliability curve of each class: its share against its stated probability."
        )
    left_out = "" if len(drawn) == len(bins) else f"The {len(drawn)} rarest of {len(bins)} classes are drawn."
    return Drawing(svg, (*key, Key("perfectly calibrated", "muted", DASHES[1])), left_out)


def before_and_after(before: Bins, after: Bins) -> Drawing:
    """Share of rows that are of their most probable class at each probability of it, before and after calibration.

    Args:
        before, after: ``{"confidence", "accuracy", "count"}`` per bin that holds rows.
    """
    require(bool(before) and bool(after), "bins that hold rows", before=len(before), after=len(after))
    with figure_style() as new_figure:
        figure = new_figure(5.6, 4.6)
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=COLORS["muted"], linewidth=1, dashes=DASHES[1])
        for bins, color, dashes in ((before, "series-1", DASHES[1]), (after, "series-0", DASHES[0])):
            confidence, accuracy, count = (
                np.array([entry[name] for entry in bins], dtype=float) for name in ("confidence", "accuracy", "count")
            )
            low, high = wilson(accuracy, count)
            axes.vlines(confidence, low, high, color=COLORS[color], linewidth=2, alpha=0.4)
            axes.plot(
                confidence, accuracy, color=COLORS[color], dashes=dashes or (None, None), marker="o", markersize=5
            )
        axes.set(xlim=(0, 1.02), ylim=(-0.02, 1.02))
        axes.set(xlabel="probability of the most probable class", ylabel="share that is of this class")
        svg = svg_text(figure, "calibration", "Reliability curves of the same rows before and after calibration.")
    key = (
        Key("before calibration", "series-1", DASHES[1]),
        Key("after calibration, 95 % intervals", "series-0"),
        Key("perfectly calibrated", "muted", DASHES[2]),
    )
    return Drawing(svg, key)

"""Figures of predicted numbers that show no single row: means and spreads of bins of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rarebird.core.checks import require
from rarebird.report.figures.drawing import COLORS, DASHES, Drawing, Key, figure_style, svg_text

# Bins hold equal numbers of rows, at least this many.
MOST_BINS, FEWEST_ROWS = 12, 10
SHOWN = "Each dot is the mean of a bin of rows, with the middle 80 % of them; no single row is drawn."


def predicted_against_true(curve: Mapping[str, Sequence[float]]) -> Drawing:
    """Mean predicted values over bins of true values.

    Args:
        curve: ``{"true", "predicted"}``, ``(n,)`` each.
    """
    return _drawn(curve, "true", "predicted", "true value", "predicted value", False)


def residuals(curve: Mapping[str, Sequence[float]]) -> Drawing:
    """Mean residuals (true minus predicted) over bins of predicted values; arguments as above."""
    rest = (np.asarray(curve["true"]) - np.asarray(curve["predicted"])).tolist()
    found = {"predicted": curve["predicted"], "residual": rest}
    return _drawn(found, "predicted", "residual", "predicted value", "residual: true minus predicted", True)


def _drawn(
    values: Mapping[str, Sequence[float]], over: str, of: str, below: str, beside: str, is_residual: bool
) -> Drawing:
    x, y = np.asarray(values[over], dtype=float), np.asarray(values[of], dtype=float)
    require(len(x) == len(y) > 0, "one predicted value per true value", rows=len(x), others=len(y))
    order = np.argsort(x, kind="stable")
    bins = np.array_split(order, max(1, min(MOST_BINS, len(x) // FEWEST_ROWS)))
    at = np.array([x[rows].mean() for rows in bins])
    low, middle, high = (np.array([of_bin(y[rows]) for rows in bins]) for of_bin in (_low, np.mean, _high))
    with figure_style() as new_figure:
        figure = new_figure(5.6, 4.6)
        axes = figure.subplots()
        ends = [at.min(), at.max()]
        axes.plot(ends, [0, 0] if is_residual else ends, color=COLORS["muted"], linewidth=1, dashes=DASHES[1])
        axes.vlines(at, low, high, color=COLORS["series-0"], linewidth=2, alpha=0.45)
        axes.plot(at, middle, color=COLORS["series-0"], marker="o", markersize=5, linestyle="none")
        axes.set(xlabel=below, ylabel=beside)
        axes.locator_params(nbins=5)
        name = "residuals" if is_residual else "predicted_against_true"
        svg = svg_text(figure, name, f"Means of bins of rows: {beside} against {below}.")
    key = Key("no error" if is_residual else "perfect prediction", "muted", DASHES[1])
    return Drawing(svg, (Key("mean of a bin", "series-0"), key), SHOWN)


def _low(values: np.ndarray) -> float:
    return float(np.percentile(values, 10))


def _high(values: np.ndarray) -> float:
    return float(np.percentile(values, 90))

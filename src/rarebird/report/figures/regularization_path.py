"""The figure of a regularization path: training and validation score against the strength of a penalty, as an SVG file
of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from rarebird.core.checks import require
from rarebird.report.figures.drawing import COLORS, DASHES, figure_style, svg_text
from rarebird.report.wording import better, wording

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT, SCREEN = 6.6, 4.6, 120  # inches, and the pixels that an inch takes where the file is opened by itself
MOST_TICKS = 9


def path_figure(
    curves: Mapping[str, Sequence[float]], metric: str, label: str, *, best: float, chosen: float, log: bool, parts: int
) -> str:
    """Both curves with a band of one standard error, the best strength, and the one-standard-error rule's.

    Args:
        curves: ``strength, training, training_error, validation, validation_error``, ``(n,)`` each, by rising strength;
            NaN is not drawn.
        metric: Name of the scores' metric.
        label: What the strength is.
        best, chosen: Strengths to mark.
        log: Whether strengths stand on a logarithmic axis.
        parts: How many parts a mean is of.

    Returns:
        The text of an SVG file: fixed colors on white, its key within.
    """
    strength = np.asarray(curves["strength"], dtype=float)
    require(
        len(strength) >= 1 and all(len(curve) == len(strength) for curve in curves.values()),
        "curves of one length",
        n=len(strength),
    )
    title, word = wording(metric).title, better(metric)
    with figure_style() as new_figure:
        figure = new_figure(WIDTH, HEIGHT)
        axes = figure.subplots()
        for name, color, dashes, text in (
            ("training", "series-0", DASHES[0], "rows learned from"),
            ("validation", "series-1", DASHES[1], "held-out rows"),
        ):
            _draw_curve(axes, strength, curves, name, color, dashes, f"{text}, ± one standard error of {parts} parts")
        _mark(axes, best, chosen)
        axes.set(
            xscale="log" if log else "linear", xlabel=label, ylabel=f"{title} ({word} is better)" if word else title
        )
        _name_ends(axes)
        _tick(axes, strength)
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
        svg = svg_text(figure, "regularization_path", f"{title} on training and held-out rows against the {label}.")
    return _standing_alone(svg)


def _draw_curve(
    axes: Axes,
    strength: np.ndarray,
    curves: Mapping[str, Sequence[float]],
    name: str,
    color: str,
    dashes: tuple[float, ...],
    label: str,
) -> None:
    value = np.asarray(curves[name], dtype=float)
    error = np.nan_to_num(np.asarray(curves[f"{name}_error"], dtype=float))
    known = np.isfinite(value)
    strength, value, error = strength[known], value[known], error[known]
    axes.fill_between(strength, value - error, value + error, color=COLORS[color], alpha=0.15, linewidth=0)
    axes.plot(
        strength, value, color=COLORS[color], dashes=dashes or (None, None), marker="o", markersize=3.5, label=label
    )


def _mark(axes: Axes, best: float, chosen: float) -> None:
    """Lines at the two strengths; one where they are the same."""
    both = f"best, and one standard error: {best:.3g}"
    marks = [
        (best, "muted", DASHES[2], f"best: {best:.3g}"),
        (chosen, "series-2", DASHES[0], f"one standard error: {chosen:.3g}"),
    ]
    for at, color, dashes, text in marks if best != chosen else [(*marks[1][:3], both)]:
        axes.axvline(at, color=COLORS[color], linewidth=1.4, dashes=dashes or (None, None), label=text)


def _name_ends(axes: Axes) -> None:
    """What a curve runs into on either side, whatever it looks like."""
    for at, side, text in ((0.0, "left", "← weaker: overfitting"), (1.0, "right", "stronger: underfitting →")):
        axes.annotate(
            text,
            (at, 1),
            (0, 4),
            xycoords="axes fraction",
            textcoords="offset points",
            ha=side,
            fontsize=8,
            color=COLORS["muted"],
        )


def _tick(axes: Axes, strength: np.ndarray) -> None:
    """Ticks at strengths that were tried, both ends among them, as many as find room."""
    shown = strength[np.unique(np.linspace(0, len(strength) - 1, min(len(strength), MOST_TICKS)).round().astype(int))]
    axes.set_xticks(shown, [f"{value:.2g}" for value in shown])
    axes.minorticks_off()


def _standing_alone(svg: str) -> str:
    """An `svg` element of a page as a file: with its namespace and size, in the colors that the page has by day, on
    white."""
    plain = re.sub(r"var\(--[a-z0-9-]+, (#[0-9a-f]{6})\)", r"\1", svg)
    size = f'width="{WIDTH * SCREEN:.0f}" height="{HEIGHT * SCREEN:.0f}" style="background: #ffffff"'
    return plain.replace("<svg ", f'<svg xmlns="http://www.w3.org/2000/svg" {size} ', 1)

"""The figure of a regularization path: training and validation score against the strength of a penalty, as a separate
SVG file."""

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

WIDTH, HEIGHT, PIXELS_PER_INCH = 6.6, 4.6, 120  # width and height in inches
MOST_TICKS = 9


def path_figure(
    curves: Mapping[str, Sequence[float]], metric: str, label: str, *, best: float, chosen: float, log: bool, parts: int
) -> str:
    """Both curves with a band of one standard error, the best strength, and the one that the one-standard-error rule
    chooses.

    Args:
        curves: ``strength, training, training_error, validation, validation_error``, ``(n,)`` each, by rising strength;
            NaN is not drawn.
        metric: Metric of the scores.
        label: Label of the axis of strengths.
        best, chosen: Strengths to mark.
        log: Whether the axis of strengths is logarithmic.
        parts: Number of held-out parts that a mean is taken over.

    Returns:
        The text of an SVG file: fixed colors on white, with its key inside.
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
            ("training", "series-0", DASHES[0], "training rows"),
            ("validation", "series-1", DASHES[1], "held-out rows"),
        ):
            _draw_curve(axes, strength, curves, name, color, dashes, f"{text}, ± one standard error of {parts} parts")
        _mark(axes, best, chosen)
        axes.set(
            xscale="log" if log else "linear", xlabel=label, ylabel=f"{title} ({word} is better)" if word else title
        )
        _label_sides(axes)
        _set_ticks(axes, strength)
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
        svg = svg_text(figure, "regularization_path", f"{title} on training and held-out rows against the {label}.")
    return _as_file(svg)


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
    """Lines at the two strengths; one line if they are the same."""
    both = f"best, and one standard error: {best:.3g}"
    marks = [
        (best, "muted", DASHES[2], f"best: {best:.3g}"),
        (chosen, "series-2", DASHES[0], f"one standard error: {chosen:.3g}"),
    ]
    for at, color, dashes, text in marks if best != chosen else [(*marks[1][:3], both)]:
        axes.axvline(at, color=COLORS[color], linewidth=1.4, dashes=dashes or (None, None), label=text)


def _label_sides(axes: Axes) -> None:
    """Texts above the axes: weak strengths overfit, strong ones underfit."""
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


def _set_ticks(axes: Axes, strength: np.ndarray) -> None:
    """Ticks at strengths that were tried: the smallest, the largest and at most seven between them."""
    shown = strength[np.unique(np.linspace(0, len(strength) - 1, min(len(strength), MOST_TICKS)).round().astype(int))]
    axes.set_xticks(shown, [f"{value:.2g}" for value in shown])
    axes.minorticks_off()


def _as_file(svg: str) -> str:
    """An `svg` element of a page as a file: with its namespace and size, in the colors of light mode, on white."""
    plain = re.sub(r"var\(--[a-z0-9-]+, (#[0-9a-f]{6})\)", r"\1", svg)
    width, height = WIDTH * PIXELS_PER_INCH, HEIGHT * PIXELS_PER_INCH
    size = f'width="{width:.0f}" height="{height:.0f}" style="background: #ffffff"'
    return plain.replace("<svg ", f'<svg xmlns="http://www.w3.org/2000/svg" {size} ', 1)

"""The figures of a run's report: each takes plain coordinates from a result, and returns SVG text with a key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from rarebird.core.checks import require
from rarebird.report.figures.drawing import COLORS, DASHES, SERIES, Drawing, Key, figure_style, svg_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_POINTS = 1000


def precision_recall(
    curves: Mapping[str, Mapping[str, Sequence[float]]],
    base_rates: Mapping[str, float],
    decided: Mapping[str, tuple[float, float]] | None = None,
) -> Drawing:
    """Precision against recall, one line per class, with its base rate: the precision of random guessing.

    Args:
        curves: Class label -> ``{"precision", "recall"}``, one value per threshold.
        base_rates: Class label -> share of the rows; if there are more than six classes, the six rarest are drawn.
        decided: Class label -> recall and precision of the model's labels, drawn as a dot.
    """
    require(bool(curves), "at least one curve", curves=len(curves))
    drawn = sorted(curves, key=lambda label: base_rates.get(label, 0.0))[: len(SERIES)]
    key = []
    with figure_style() as new_figure:
        figure = new_figure(5.6, 4.6)
        axes = figure.subplots()
        for label, color, dashes in zip(drawn, SERIES, DASHES, strict=False):
            recall, precision = _descending(curves[label]["recall"], curves[label]["precision"])
            # Steps, not slopes: average precision is the area under the steps.
            axes.plot(recall, precision, color=COLORS[color], dashes=dashes or (None, None), drawstyle="steps-post")
            if decided and label in decided:
                axes.plot(*decided[label], color=COLORS[color], marker="o", markersize=9, clip_on=False)
            rate = base_rates.get(label)
            if rate is not None:
                axes.axhline(rate, color=COLORS[color], linewidth=1, dashes=(1, 2))
            key.append(Key(label, color, dashes, "" if rate is None else f"base rate {rate:.2g}", is_name=True))
        axes.set(
            xlim=(0, 1.01),
            ylim=(0, 1.03),
            xlabel="recall: share of the class that is found",
            ylabel="precision: share of predictions of the class that are right",
        )
        svg = svg_text(
            figure, "precision_recall", "Precision against recall, one line per class, with dotted base rates."
        )
    left_out = "" if len(drawn) == len(curves) else f"The {len(drawn)} rarest of {len(curves)} classes are drawn."
    return Drawing(svg, tuple(key), left_out)


def roc(
    curves: Mapping[str, Mapping[str, Sequence[float]]],
    order: Sequence[str],
    decided: Mapping[str, tuple[float, float]],
) -> Drawing:
    """Recall against the share of false alarms, one line per class.

    Args:
        curves: Class label -> ``{"false_positive_rate", "recall"}``, ascending.
        order: The labels, the rarest class first; of more than six classes, the first six are drawn.
        decided: Class label -> false alarms and recall of the model's labels, drawn as a dot.
    """
    require(bool(curves), "at least one curve", curves=len(curves))
    drawn = list(order)[: len(SERIES)]
    with figure_style() as new_figure:
        figure = new_figure(5.6, 4.6)
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=COLORS["muted"], linewidth=1, dashes=DASHES[1])
        for label, color, dashes in zip(drawn, SERIES, DASHES, strict=False):
            curve = curves[label]
            axes.plot(curve["false_positive_rate"], curve["recall"], color=COLORS[color], dashes=dashes or (None, None))
            if label in decided:
                axes.plot(*decided[label], color=COLORS[color], marker="o", markersize=9, clip_on=False)
        axes.set(xlim=(-0.01, 1.01), ylim=(0, 1.03))
        axes.set(
            xlabel="share of the other rows that are false alarms", ylabel="recall: share of the class that is found"
        )
        svg = svg_text(figure, "roc", "ROC curve: recall against false alarms, one line per class.")
    left_out = "" if len(drawn) == len(curves) else f"The {len(drawn)} rarest of {len(curves)} classes are drawn."
    key = [Key(label, color, dashes, is_name=True) for label, color, dashes in zip(drawn, SERIES, DASHES, strict=False)]
    return Drawing(svg, (*key, Key("random guessing", "muted", DASHES[1])), left_out)


def learning_curve(history: Sequence[Mapping[str, float]], metric: str) -> Drawing | None:
    """Losses, the held-out score if there is one, and the learning rate over the steps of training.

    Args:
        history: One entry per evaluation: ``fold, step, train_loss, val_loss, learning_rate`` and scores; all but
            `step` are optional.
        metric: The score to draw; if it is not there, the first one whose name begins with ``val_``.

    Returns:
        None if fewer than two entries have a loss.
    """
    train, held_out = _by_fold(history, "train_loss"), _by_fold(history, "val_loss")
    if max((len(steps) for steps, _ in [*train, *held_out]), default=0) < 2:
        return None
    score = _score_name(history, metric)
    scores, rate = (_by_fold(history, score) if score else []), _by_fold(history, "learning_rate")
    panels = [
        ("loss", 3.0),
        *([(score.removeprefix("val_").replace("_", " "), 2.2)] if score else []),
        *([("learning rate", 1.3)] if rate else []),
    ]
    with figure_style() as new_figure:
        figure = new_figure(5.6, 1.3 + 0.72 * sum(height for _, height in panels))
        stacked = figure.subplots(
            len(panels), 1, sharex=True, squeeze=False, height_ratios=[height for _, height in panels]
        )[:, 0]
        for axes, (name, _) in zip(stacked, panels, strict=True):
            axes.set_ylabel(name)
        _draw_folds(stacked[0], train, "series-0", DASHES[0])
        _draw_folds(stacked[0], held_out, "series-1", DASHES[1])
        if score:
            _draw_folds(stacked[1], scores, "series-1", DASHES[1])
        if rate:
            stacked[-1].plot(*rate[0], color=COLORS["muted"])
            stacked[-1].locator_params(axis="y", nbins=3)
        stacked[-1].set_xlabel("training step")
        svg = svg_text(
            figure, "learning_curve", "Learning curve: losses on training and held-out rows over the steps of training."
        )
    key = [Key("training rows", "series-0")] if train else []
    key += [Key("held-out rows", "series-1", DASHES[1])] if held_out or scores else []
    folds = max(len(train), len(held_out))
    return Drawing(svg, tuple(key), f"Thin lines are the {folds} folds, thick ones their mean." if folds > 1 else "")


def predicted_against_true(curve: Mapping[str, Sequence[float]]) -> Drawing:
    """Predicted against true values of a regression, one point per row.

    Args:
        curve: ``{"true", "predicted"}``, ``(n,)`` each; of more than `MOST_POINTS` rows, evenly spaced ones are drawn.
    """
    true, predicted, left_out = _points(curve)
    ends = [min(true.min(), predicted.min()), max(true.max(), predicted.max())]
    with figure_style() as new_figure:
        figure = new_figure(5.6, 4.6)
        axes = figure.subplots()
        axes.scatter(true, predicted, s=9, color=COLORS["series-0"], alpha=_alpha(len(true)), linewidths=0)
        axes.plot(ends, ends, color=COLORS["muted"], linewidth=1, dashes=DASHES[1])
        axes.set(xlabel="true value", ylabel="predicted value")
        _plain_ticks(axes)
        svg = svg_text(figure, "predicted_against_true", "Predicted against true values, one point per row.")
    return Drawing(svg, (Key("perfect prediction", "muted", DASHES[1]),), left_out)


def residuals(curve: Mapping[str, Sequence[float]]) -> Drawing:
    """Residuals (true minus predicted) against the predicted values, one point per row, beside their histogram.

    Args:
        curve: ``{"true", "predicted"}``, ``(n,)`` each; of more than `MOST_POINTS` rows, evenly spaced ones are drawn.
    """
    true, predicted, left_out = _points(curve)
    residual = true - predicted
    with figure_style() as new_figure:
        figure = new_figure(5.6, 4.6)
        axes, side = figure.subplots(1, 2, sharey=True, width_ratios=(4, 1))
        axes.scatter(predicted, residual, s=9, color=COLORS["series-0"], alpha=_alpha(len(true)), linewidths=0)
        axes.set(xlabel="predicted value", ylabel="residual: true minus predicted")
        side.hist(residual, bins=30, orientation="horizontal", color=COLORS["series-0"])
        side.set_xlabel("rows")
        _plain_ticks(axes)
        side.locator_params(axis="x", nbins=2, integer=True)
        for panel in (axes, side):
            panel.axhline(0, color=COLORS["muted"], linewidth=1, dashes=DASHES[1])
        svg = svg_text(
            figure, "residuals", "Residuals against predicted values, one point per row, beside their histogram."
        )
    return Drawing(svg, (Key("no error", "muted", DASHES[1]),), left_out)


def _plain_ticks(axes: Axes) -> None:
    """Few ticks, with spaces between thousands, so that labels of any magnitude do not overlap."""
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:,.6g}".replace(",", "\u202f"))
    axes.locator_params(nbins=5)


def _descending(recall: Sequence[float], precision: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(recall, dtype=float), np.asarray(precision, dtype=float)
    if x[0] < x[-1]:
        x, y = x[::-1], y[::-1]
    shown = _spread(len(x), 400)
    return x[shown], y[shown]


def _points(curve: Mapping[str, Sequence[float]]) -> tuple[np.ndarray, np.ndarray, str]:
    true, predicted = np.asarray(curve["true"], dtype=float), np.asarray(curve["predicted"], dtype=float)
    require(
        len(true) == len(predicted) > 0,
        "one predicted value per true value, at least one",
        true=len(true),
        predicted=len(predicted),
    )
    shown = _spread(len(true), MOST_POINTS)
    return (
        true[shown],
        predicted[shown],
        "" if len(shown) == len(true) else f"{len(shown)} of {len(true)} rows are drawn.",
    )


def _spread(n: int, most: int) -> np.ndarray:
    """At most `most` of `n` positions, evenly spaced, both ends included."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int))


def _alpha(n: int) -> float:
    return float(np.clip(30 / np.sqrt(n), 0.25, 0.8))


def _by_fold(history: Sequence[Mapping[str, float]], name: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """``(steps, values)`` of each fold that has finite values of `name`."""
    folds: dict[float, list[tuple[float, float]]] = {}
    for entry in history:
        value = entry.get(name)
        if value is not None and np.isfinite(value):
            folds.setdefault(entry.get("fold", 0), []).append((entry["step"], value))
    return [(np.array(pairs)[:, 0], np.array(pairs)[:, 1]) for pairs in map(sorted, folds.values())]


def _score_name(history: Sequence[Mapping[str, float]], metric: str) -> str | None:
    present = list(dict.fromkeys(name for entry in history for name in entry))
    others = [name for name in present if name.startswith("val_") and name != "val_loss"]
    return next((name for name in (f"val_{metric}", metric, *others) if name in present), None)


def _draw_folds(
    axes: Axes, folds: Sequence[tuple[np.ndarray, np.ndarray]], color: str, dashes: tuple[float, ...]
) -> None:
    """One thin line per fold, and a thick one for their mean over the steps that all folds cover."""
    if len(folds) == 1:
        axes.plot(*folds[0], color=COLORS[color], dashes=dashes or (None, None))
        return
    for steps, values in folds:
        axes.plot(steps, values, color=COLORS[color], linewidth=0.8, alpha=0.4)
    if folds:
        start, end = max(steps[0] for steps, _ in folds), min(steps[-1] for steps, _ in folds)
        grid = np.unique(np.concatenate([steps for steps, _ in folds]))
        grid = grid[(grid >= start) & (grid <= end)]
        mean = np.mean([np.interp(grid, steps, values) for steps, values in folds], axis=0)
        axes.plot(grid, mean, color=COLORS[color], linewidth=2, dashes=dashes or (None, None))

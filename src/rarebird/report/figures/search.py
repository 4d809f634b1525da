"""Figures of a search: the best value so far over time, and parallel coordinates of the settings (Inselberg, "The plane
with parallel coordinates", The Visual Computer 1985)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rarebird.evaluation.search_history import SearchHistory, Setting
from rarebird.report.figures.drawing import COLORS, Drawing, Key, figure_style, svg_text

# The share of the trials that is drawn strong.
BEST_SHARE = 0.25
MOST_LINES = 200
# A setting whose values span more than this factor has a logarithmic axis.
WIDE = 20.0
LONGEST = 16


def best_so_far(history: SearchHistory, criterion: str) -> Drawing:
    """Each trial's value as a dot at the time at which it finished, and the best so far as a line.

    Trials of several processes have no common clock: then their number takes the place of the time.
    """
    values = np.array([trial.value for trial in history.trials])
    places = np.arange(1, len(values) + 1)
    x = places if history.resumed else np.array([trial.seconds for trial in history.trials])
    best = np.maximum.accumulate(values) if history.larger_is_better else np.minimum.accumulate(values)
    with figure_style() as new_figure:
        figure = new_figure(5.6, 3.6)
        axes = figure.subplots()
        axes.plot(x, values, linestyle="none", marker="o", markersize=5, color=COLORS["series-1"], alpha=0.8)
        axes.plot(x, best, color=COLORS["series-0"], drawstyle="steps-post")
        low, high = _window(values, history.larger_is_better)
        axes.set_ylim(low, high)
        axes.set(xlabel="trial" if history.resumed else "seconds since the start of the search", ylabel=criterion)
        svg = svg_text(figure, "best_so_far", "The best value so far over the time of the search.")
    beyond = int(((values < low) | (values > high)).sum())
    left_out = f"Not drawn, because they are much worse: {beyond}." if beyond else ""
    return Drawing(svg, (Key("best so far", "series-0"), Key("one trial", "series-1", (2, 2))), left_out)


def parallel_coordinates(history: SearchHistory, criterion: str, settings: Sequence[str]) -> Drawing:
    """One line per searched trial over one axis per setting; the last axis is the value."""
    trials = [trial for trial in history.trials if trial.settings][-MOST_LINES:]
    values = np.array([trial.value for trial in trials])
    order = np.argsort(-values if history.larger_is_better else values)
    strong = set(order[: max(1, round(BEST_SHARE * len(trials)))].tolist())
    columns = [_scaled([trial.settings.get(name) for trial in trials]) for name in settings]
    columns.append(_scaled(values.tolist()))
    with figure_style() as new_figure:
        figure = new_figure(5.6, 4.2)
        axes = figure.subplots()
        for place in [*(one for one in range(len(trials)) if one not in strong), *sorted(strong)]:
            best = place in strong
            axes.plot(
                range(len(columns)),
                [column[0][place] for column in columns],
                color=COLORS["series-0" if best else "muted"],
                alpha=0.9 if best else 0.3,
                linewidth=1.8 if best else 0.9,
            )
        for place, (_, low, high) in enumerate(columns):
            axes.axvline(place, color=COLORS["muted"], linewidth=1)
            axes.text(place, -0.03, low, ha="center", va="top", fontsize=7.5)
            axes.text(place, 1.03, high, ha="center", va="bottom", fontsize=7.5)
        names = [*(name.replace(".", ".\n").replace("_", " ") for name in settings), criterion]
        axes.set_xticks(range(len(columns)), names, fontsize=7.5, rotation=30 if len(columns) > 4 else 0)
        axes.set(ylim=(-0.1, 1.1), yticks=[])
        axes.tick_params(axis="x", pad=10)
        axes.grid(False)
        axes.spines[["left", "bottom"]].set_visible(False)
        svg = svg_text(figure, "parallel", "Parallel coordinates: the settings of each trial, and its value.")
    key = (Key("best quarter of the trials", "series-0"), Key("other trials", "muted"))
    return Drawing(svg, key)


def _window(values: np.ndarray, larger_is_better: bool) -> tuple[float, float]:
    """The drawn range: all values, except for those that are so much worse that the others could not be told apart."""
    good = np.percentile(values, [25, 100] if larger_is_better else [0, 75])
    spread = max(float(good[1] - good[0]), 1e-6 * max(abs(float(good[1])), 1.0))
    low, high = float(values.min()), float(values.max())
    if larger_is_better:
        low = max(low, float(good[0]) - 3 * spread)
    else:
        high = min(high, float(good[1]) + 3 * spread)
    return low - 0.08 * (high - low or spread), high + 0.08 * (high - low or spread)


def _scaled(values: Sequence[Setting]) -> tuple[list[float], str, str]:
    """Places on an axis from 0 to 1 (NaN where a trial has no such setting), and the texts of its ends."""
    known = [value for value in values if value is not None]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        numbers = np.array([np.nan if value is None else float(value) for value in values])
        low, high = float(np.nanmin(numbers)), float(np.nanmax(numbers))
        logarithmic = low > 0 and high > WIDE * low
        ends = np.log([low, high]) if logarithmic else np.array([low, high])
        placed = np.log(numbers) if logarithmic else numbers
        spread = ends[1] - ends[0]
        return ((placed - ends[0]) / spread if spread else numbers * 0 + 0.5).tolist(), f"{low:.3g}", f"{high:.3g}"
    names = sorted({str(value) for value in known})
    at = {name: place / max(len(names) - 1, 1) for place, name in enumerate(names)}
    return [np.nan if value is None else at[str(value)] for value in values], names[0][:LONGEST], names[-1][:LONGEST]

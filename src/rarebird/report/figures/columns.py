"""The columns of a table's real and new rows, one beside the other: distributions, and rank correlations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rarebird.report.figures.drawing import COLORS, DASHES, figure_style, svg_text

if TYPE_CHECKING:
    import pandas as pd

# Columns that are drawn, and of these side by side; categories of a column; columns whose correlations are drawn.
MOST_COLUMNS, ACROSS, MOST_CATEGORIES, MOST_PAIRED = 16, 4, 8, 16
LONGEST_NAME = 24


def drawn(real: pd.DataFrame, new: pd.DataFrame) -> str:
    """An `svg` element: cumulative shares of numbers and shares of categories, and below them both correlations.

    Args:
        real: Columns of real rows.
        new: The same columns of new rows.
    """
    import pandas as pd

    names = list(real.columns)[:MOST_COLUMNS]
    numbers = [
        name
        for name in real.columns
        if pd.api.types.is_numeric_dtype(real[name]) and not pd.api.types.is_bool_dtype(real[name])
    ][:MOST_PAIRED]
    rows = -(-len(names) // ACROSS)
    paired = len(numbers) > 1
    with figure_style() as figure_of:
        figure = figure_of(10.0, 1.7 * rows + (3.2 if paired else 0))
        parts: Any = figure.subfigures(2, 1, height_ratios=[1.7 * rows, 3.2]) if paired else [figure]
        grid = parts[0].subplots(rows, ACROSS, squeeze=False)
        for axes in grid.ravel()[len(names) :]:
            axes.set_visible(False)
        for axes, name in zip(grid.ravel(), names, strict=False):
            _draw_column(axes, real[name], new[name], str(name))
        if paired:
            for axes, frame, title in zip(parts[1].subplots(1, 2), (real, new), ("real rows", "new rows"), strict=True):
                _draw_correlations(axes, frame[numbers], title)
        return svg_text(figure, "columns", "columns of real and of new rows")


def _draw_column(axes: Any, real: pd.Series, new: pd.Series, name: str) -> None:
    import pandas as pd

    axes.set_title(name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.set_ylim(0, 1.02)
    is_number = pd.api.types.is_numeric_dtype(real) and not pd.api.types.is_bool_dtype(real)
    if is_number or pd.api.types.is_datetime64_any_dtype(real):
        for series, color, dashes in ((real, "series-0", ()), (new, "series-1", DASHES[1])):
            known = np.sort(series.dropna().to_numpy())
            if len(known):
                line = axes.step(known, np.arange(1, len(known) + 1) / len(known), where="post", color=COLORS[color])[0]
                if dashes:
                    line.set_dashes(dashes)
        if not is_number:
            axes.tick_params(axis="x", labelrotation=30)
        return
    shown = [str(value) for value in real.astype(str).value_counts().index[:MOST_CATEGORIES]]
    places = np.arange(len(shown))
    for series, color, shift in ((real, "series-0", -0.2), (new, "series-1", 0.2)):
        share = series.astype(str).value_counts(normalize=True)
        axes.bar(places + shift, [float(share.get(value, 0.0)) for value in shown], 0.38, color=COLORS[color])
    axes.set_xticks(places, [value[:10] for value in shown], rotation=30, fontsize=6)


def _draw_correlations(axes: Any, frame: pd.DataFrame, title: str) -> None:
    ranks = frame.rank()
    values = np.nan_to_num(ranks.fillna(ranks.mean()).corr().to_numpy())
    axes.imshow(values, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
    names = [str(name)[:12] for name in frame.columns]
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=6)
    axes.set_yticks(range(len(names)), names, fontsize=6)
    axes.grid(visible=False)
    axes.set_title(f"rank correlations, {title}", fontsize=8)

"""How the output depends on one column: accumulated local effects of numbers, partial dependence of categories.

Apley and Zhu, "Visualizing the effects of predictor variables in black box supervised learning models", JRSS B 2020:
within bins of a column's own quantiles, the mean change of the output from the bin's lower to its upper edge, of the
rows in the bin; the changes are added up, so that other columns stay as they are in rows with such values. Of a
category, which has no order, the mean output with each value in all rows (Friedman, Annals of Statistics 2001).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rarebird.data.dataset import Dataset, Frame
from rarebird.explanation.shipped import ShippedOutput
from rarebird.metrics.uncertainty import Z

if TYPE_CHECKING:
    import pandas as pd

BINS, MOST_ROWS, MOST_CATEGORIES = 16, 400, 12


@dataclass(frozen=True, eq=False)
class ColumnEffect:
    """How the output depends on a column, around its mean.

    Attributes:
        column: The column.
        places: ``(k,)`` edges of the bins (float64), or category texts.
        effect: ``(k,)`` the output's deviation from its mean.
        error: ``(k,)`` half the width of a 95 % interval over rows, point by point.
        accumulated: Whether these are accumulated local effects, not partial dependence.
    """

    column: str
    places: np.ndarray
    effect: np.ndarray
    error: np.ndarray
    accumulated: bool


def column_effects(shipped: ShippedOutput, rows: Dataset, code: int, columns: Sequence[str]) -> list[ColumnEffect]:
    """The effects of columns on the output of a class; columns of dates, and those with one value, are left out.

    Args:
        shipped: The output.
        rows: Rows of a table.
        code: The class; 0 for regression.
        columns: Their names.
    """
    import pandas as pd

    some = rows.take(np.arange(0, len(rows), max(1, len(rows) // MOST_ROWS)))
    frame, found = some.raw(), []
    for name in columns:
        one = frame[name]
        if pd.api.types.is_datetime64_any_dtype(one):
            continue
        if pd.api.types.is_numeric_dtype(one) and not pd.api.types.is_bool_dtype(one):
            effect = _accumulated(shipped, some, frame, name, code)
        else:
            effect = _partial(shipped, some, frame, name, code)
        if effect is not None:
            found.append(effect)
    return found


def _accumulated(
    shipped: ShippedOutput, rows: Dataset, frame: pd.DataFrame, name: str, code: int
) -> ColumnEffect | None:
    values = frame[name].to_numpy(np.float64, na_value=np.nan)
    known = np.flatnonzero(np.isfinite(values))
    if len(known) < 2:
        return None
    edges = np.unique(np.quantile(values[known], np.linspace(0, 1, BINS + 1)))
    if len(edges) < 2:
        return None
    place = np.clip(np.searchsorted(edges, values[known], side="left"), 1, len(edges) - 1)
    ends = [_output(shipped, rows.take(known), frame.iloc[known], name, edges[place - side], code) for side in (1, 0)]
    change = ends[1] - ends[0]
    counts = np.bincount(place, minlength=len(edges))[1:]
    mean = np.bincount(place, change, minlength=len(edges))[1:] / np.maximum(counts, 1)
    spread = np.bincount(place, np.square(change - mean[place - 1]), minlength=len(edges))[1:]
    variance = spread / np.maximum(counts - 1, 1) / np.maximum(counts, 1)
    effect = np.concatenate([[0.0], np.cumsum(mean)])
    middle = float(((effect[:-1] + effect[1:]) / 2) @ counts / counts.sum())
    error = Z * np.sqrt(np.concatenate([[0.0], np.cumsum(variance)]))
    return ColumnEffect(name, edges, effect - middle, error, True)


def _partial(shipped: ShippedOutput, rows: Dataset, frame: pd.DataFrame, name: str, code: int) -> ColumnEffect | None:
    shown = frame[name].dropna().value_counts().index[:MOST_CATEGORIES]
    if len(shown) < 2:
        return None
    each = np.stack([_output(shipped, rows, frame, name, value, code) for value in shown])
    apart = each - each.mean(axis=0)
    error = Z * apart.std(axis=1, ddof=1) / np.sqrt(len(rows)) if len(rows) > 1 else np.zeros(len(shown))
    return ColumnEffect(name, np.array([str(value) for value in shown]), apart.mean(axis=1), error, False)


def _output(
    shipped: ShippedOutput, rows: Dataset, frame: pd.DataFrame, name: str, values: Any, code: int
) -> np.ndarray:
    """``(n,)`` the output of rows whose column has other values."""
    changed = frame.reset_index(drop=True).copy()
    if isinstance(values, np.ndarray):
        changed[name] = values
    else:
        import pandas as pd

        changed[name] = pd.Series([values] * len(changed), dtype=frame[name].dtype)
    other = replace(rows, source=Frame(changed), index=np.arange(len(changed)))
    return shipped.of_inputs(shipped.inputs(other), shipped.codes(np.full(len(changed), code)))

"""Groups of columns that say nearly the same: permuting one of them alone would leave its information in the others.

Strobl et al., "Conditional variable importance for random forests", BMC Bioinformatics 2008, show the harm; grouping by
clusters of the association is the usual remedy (scikit-learn's user guide, permutation importance).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

# Columns belong together where all pairs have at least this association, 0..1.
STRONG = 0.7
# With more columns, each is a group of its own: their pairs would take too long.
MOST_COLUMNS, MOST_ROWS = 200, 2000


def column_groups(frame: pd.DataFrame) -> list[list[str]]:
    """The columns in groups, in their order: rank correlation of numbers, Cramér's V of categories, the correlation
    ratio of the ranks between both; complete linkage.

    Args:
        frame: Rows with the columns.
    """
    names = [str(name) for name in frame.columns]
    if not 1 < len(names) <= MOST_COLUMNS:
        return [[name] for name in names]
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    apart = 1 - associations(frame.iloc[:: max(1, len(frame) // MOST_ROWS)])
    np.fill_diagonal(apart, 0)
    group = fcluster(linkage(squareform(apart, checks=False), "complete"), 1 - STRONG, "distance")
    found: dict[int, list[str]] = {}
    for name, number in zip(names, group.tolist(), strict=True):
        found.setdefault(number, []).append(name)
    return sorted(found.values(), key=lambda one: names.index(one[0]))


def associations(frame: pd.DataFrame) -> np.ndarray:
    """``(columns, columns)`` strength of the association of each pair, 0..1; missing values are a category, or the mean
    rank."""
    import pandas as pd

    columns: list[tuple[bool, np.ndarray]] = []
    for name in frame.columns:
        one = frame[name]
        ordered = pd.api.types.is_datetime64_any_dtype(one) or (
            pd.api.types.is_numeric_dtype(one) and not pd.api.types.is_bool_dtype(one)
        )
        if ordered:
            ranks = one.rank()
            columns.append((True, ranks.fillna(ranks.mean()).fillna(0).to_numpy(np.float64)))
        else:
            columns.append((False, pd.factorize(one, use_na_sentinel=False)[0]))
    found = np.eye(len(columns))
    for first in range(len(columns)):
        for second in range(first):
            found[first, second] = found[second, first] = _association(columns[first], columns[second])
    return found


def _association(first: tuple[bool, np.ndarray], second: tuple[bool, np.ndarray]) -> float:
    if first[0] and second[0]:
        return abs(_correlation(first[1], second[1]))
    if first[0] != second[0]:
        (_, ranks), (_, codes) = (first, second) if first[0] else (second, first)
        return _correlation_ratio(ranks, codes)
    return _cramer(first[1], second[1])


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / size) if size > 0 else 0.0


def _correlation_ratio(values: np.ndarray, codes: np.ndarray) -> float:
    """Square root of the share of the variance between categories, corrected for their number."""
    n, counts = len(values), np.bincount(codes)
    known = counts > 0
    k = int(known.sum())
    total = ((values - values.mean()) ** 2).sum()
    if total <= 0 or n <= k:
        return 0.0
    means = np.bincount(codes, values)[known] / counts[known]
    between = float((counts[known] * (means - values.mean()) ** 2).sum() / total)
    return float(np.sqrt(max(0.0, 1 - (1 - between) * (n - 1) / (n - k))))


def _cramer(a: np.ndarray, b: np.ndarray) -> float:
    """Cramér's V, corrected for bias (Bergsma 2013)."""
    n, rows, columns = len(a), int(a.max()) + 1, int(b.max()) + 1
    if min(rows, columns) < 2 or n < 2:
        return 0.0
    table = np.bincount(a * columns + b, minlength=rows * columns).reshape(rows, columns).astype(np.float64)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / n
    phi = float((np.square(table - expected) / np.maximum(expected, 1e-12)).sum()) / n
    phi = max(0.0, phi - (rows - 1) * (columns - 1) / (n - 1))
    sides = [k - (k - 1) ** 2 / (n - 1) for k in (rows, columns)]
    least = min(sides) - 1
    return float(min(1.0, np.sqrt(phi / least))) if least > 0 else 0.0

"""What the loaders of all kinds do with an exported file's outputs; it is written into each loader."""

from __future__ import annotations

from typing import Any

import numpy as np


def named(about: dict[str, Any], found: dict[str, Any], coverage: float | None) -> dict[str, Any]:
    """Outputs with class names; with a coverage, `set` has the classes of each row's set, `interval` the ends of its
    interval."""
    each = found.pop("members", None)
    if coverage is not None and "value" in found:
        found["interval"] = intervals(about, found["value"][:, None] if each is None else each, coverage)
    elif coverage is not None:
        found["set"] = sets(about, found["probabilities"][:, None] if each is None else each, coverage)
    return found | ({"label": np.array(about["classes"])[found["label"]]} if "label" in found else {})


def sets(about: dict[str, Any], each: np.ndarray, coverage: float) -> list[list[str]]:
    """Sets that contain the true class of this share of the rows of each class, from each member's probabilities."""
    if "sets" not in about or not 0 < coverage < 1:
        raise ValueError("A coverage is between 0 and 1, of a model that keeps held-out rows.")
    table, needed = about["sets"], np.ceil(coverage / (1 - coverage) - 1e-9)
    small = [code for code, rows in enumerate(table["rows"]) if rows < needed]
    together = len(small) > 1 and table["together"][len(small)] >= needed
    p_value = np.empty((len(each), len(about["classes"])))
    for code, own in enumerate(table["rows"]):
        pooled = together and code in small
        rows = table["together"][len(small)] if pooled else own
        total, count = 0, np.zeros(len(each))
        for other in small if pooled else [code]:
            for place, (values, counts) in enumerate(table["held_out"][other]):
                total += sum(counts)
                below = np.concatenate([[0], np.cumsum(counts)])
                count += below[np.searchsorted(values, each[:, place, code], side="right")]
        p_value[:, code] = ((count / total if total else 1) * rows + 1) / (rows + 1)
    chosen = p_value > 1 - coverage + 1e-12
    chosen[np.arange(len(each)), p_value.argmax(axis=1)] = True
    return [[about["classes"][code] for code in np.flatnonzero(row)] for row in chosen]


def intervals(about: dict[str, Any], each: np.ndarray, coverage: float) -> np.ndarray:
    """`(n, 2)` the ends of intervals that contain the true value of this share of rows, from each member's values."""
    if "intervals" not in about or not 0 < coverage < 1:
        raise ValueError("A coverage is between 0 and 1, of a model that keeps held-out rows.")
    table, needed = about["intervals"], np.ceil(coverage / (1 - coverage) - 1e-9)
    if table["rows"] < needed:
        raise ValueError(f"A coverage of {coverage:g} needs {needed:.0f} held-out rows; there are {table['rows']}.")
    level = min(coverage * (table["rows"] + 1) / table["rows"], 1)
    place = np.repeat(np.arange(len(table["errors"])), [len(sizes) for sizes, _ in table["errors"]])
    errors, counts = (np.concatenate(part) for part in zip(*table["errors"], strict=True))
    ends = []
    for row in each:
        moved, base = errors * np.interp(row, *table["scale"])[place], row[place]
        ends.append([-quantile(moved - base, counts, level), quantile(base + moved, counts, level)])
    return np.array(ends).reshape(-1, 2)


def quantile(values: np.ndarray, counts: np.ndarray, level: float) -> float:
    """The smallest value at or below which a share `level` of the rows is."""
    order = np.argsort(values)
    below = np.cumsum(counts[order])
    return float(values[order[(below < level * below[-1] * (1 - 1e-12)).sum()]])

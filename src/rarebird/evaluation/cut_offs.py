"""Which labels rows get at each cut-off of one class, as counts: what the report's slider moves.

A row's *score* for a class compares the class's probability ``p`` with that of the best other class, ``q``, as
``p / (p + q)``; of two classes it is the probability itself. From a cut-off on, the row gets the class's label, below
it the label that the decision gives among the other classes. If a mistake on rows of the class costs ``r`` times as
much as any other one, the labels of least expected cost have the cut-off ``1 / (1 + r)``.

The counts are made on a fixed grid of cut-offs, so that a page with them holds no row.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from rarebird.slots.decisions import FittedDecision

# Cut-offs whose log-odds are spread evenly between these ends: from 1 in 3000 to its opposite.
STEPS, FARTHEST = 160, 8.0
# Classes that a matrix shows beside one another; of more, the class is shown against all others together.
MOST_IN_MATRIX = 8
# Classes that have a slider, at most.
MOST_CLASSES = 10


class CutOffCounts(BaseModel):
    """Which labels rows get while the cut-off of one class moves.

    Attributes:
        label: The class.
        classes: The classes of the matrix; an empty label stands for all others together.
        cut_offs: Ascending.
        own: The place of the model's own cut-off; -1 where it has none.
        cells: Rows by ``(true class, label below the cut-off, number of cut-offs reached, rows)``, with places in
            `classes`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str
    classes: tuple[str, ...]
    cut_offs: tuple[float, ...]
    own: int = -1
    cells: tuple[tuple[int, int, int, int], ...] = ()


def cut_off_counts(
    y: np.ndarray,
    probabilities: np.ndarray,
    decision: FittedDecision,
    classes: Sequence[str],
    drawn: Sequence[int],
    cut_off: float | None,
) -> tuple[CutOffCounts, ...]:
    """The counts of each class that has a slider.

    Args:
        y: ``(n,)`` true codes.
        probabilities: ``(n, n_classes)``.
        decision: Labels the rows below the cut-off.
        classes: The class labels.
        drawn: The codes of these classes.
        cut_off: The model's own cut-off of two classes, which is one of the grid; None where it has none.
    """
    if len(classes) < 2:
        return ()
    return tuple(
        _counts(y, probabilities, decision, classes, code, cut_off if len(classes) == 2 else None)
        for code in drawn[:MOST_CLASSES]
    )


def _counts(
    y: np.ndarray,
    probabilities: np.ndarray,
    decision: FittedDecision,
    classes: Sequence[str],
    code: int,
    cut_off: float | None,
) -> CutOffCounts:
    other = _other_labels(probabilities, decision, code)
    own, best = probabilities[:, code], probabilities[np.arange(len(y)), other]
    score = own / np.maximum(own + best, np.finfo(float).tiny)
    grid = _grid(cut_off)
    # The number of cut-offs that a row reaches; it gets the class's label at the first so many of them.
    reached = np.searchsorted(grid, score, side="right")
    whole = len(classes) <= MOST_IN_MATRIX
    true, below = (y, other) if whole else ((y == code).astype(np.int64), np.zeros(len(y), dtype=np.int64))
    shape = (len(classes), len(classes), len(grid) + 1)
    counts = np.bincount(np.ravel_multi_index((true, below, reached), shape))
    filled = np.flatnonzero(counts)
    cells, counts = np.stack(np.unravel_index(filled, shape)), counts[filled]
    return CutOffCounts(
        label=classes[code],
        classes=tuple(classes) if whole else ("", classes[code]),
        cut_offs=tuple(float(f"{one:.6g}") if one != cut_off else one for one in grid.tolist()),
        own=-1 if cut_off is None else int(np.searchsorted(grid, cut_off)),
        cells=tuple((*map(int, cell), int(n)) for cell, n in zip(cells.T, counts, strict=True)),
    )


def _other_labels(probabilities: np.ndarray, decision: FittedDecision, code: int) -> np.ndarray:
    """``(n,)`` the label of each row among the other classes: that of the decision, or else the most probable one."""
    others = probabilities.astype(float).copy()
    others[:, code] = 0.0
    total = others.sum(axis=1, keepdims=True)
    # A row that is surely of the class has no probability left to compare.
    even = np.full_like(others, 1 / (others.shape[1] - 1))
    even[:, code] = 0.0
    among = np.where(total > 0, others / np.where(total > 0, total, 1.0), even)
    labels = np.array(decision(among), dtype=np.int64)
    others[:, code] = -1.0
    return np.where(labels == code, others.argmax(axis=1), labels)


def _grid(cut_off: float | None) -> np.ndarray:
    """The cut-offs, ascending; the model's own one is among them."""
    grid = 1 / (1 + np.exp(-np.linspace(-FARTHEST, FARTHEST, STEPS + 1)))
    return grid if cut_off is None else np.unique(np.append(grid, cut_off))

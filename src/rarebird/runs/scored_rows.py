"""The scored rows of a run as arrays: what a decision that is fitted anew is scored on, at full precision."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rarebird.core.checks import DataError
from rarebird.evaluation.predicted_rows import PredictedRows
from rarebird.model import held_out_rows
from rarebird.model.held_out_rows import HeldOutRows

TEST, HELD_OUT = "test_rows.safetensors", "held_out_rows.safetensors"
FILES = (TEST, HELD_OUT)
# Parts that are fitted crosswise, at most; more are merged.
MOST_PARTS = 5


def write(predicted: PredictedRows, path: Path) -> None:
    """Write outputs, truth, weight, group and part of the rows."""
    rows = predicted.rows
    y = rows.y if rows.task == "regression" else rows.codes
    assert y is not None
    group = None if rows.group is None else _codes(rows.group)
    held_out_rows.write(HeldOutRows(predicted.outputs, y, rows.weights, group, _codes(predicted.part)), path)


def read(path: Path, n_classes: int) -> HeldOutRows | None:
    """The rows of a file, whose `member` is their part; None if the run has none.

    Raises:
        DataError: The file is damaged.
    """
    try:
        return held_out_rows.read(path, n_classes, True, 2**31)
    except Exception as error:  # a file from elsewhere may fail in any way
        raise DataError(f"{path} cannot be read: {(str(error).splitlines() or ['it is damaged'])[0][:300]}") from None


def crossing_parts(rows: HeldOutRows) -> np.ndarray:
    """``(n,)`` parts, each decided by a decision that was fitted on the others: the rows' own, or two halves with about
    as many rows (groups) of each class."""
    assert rows.member is not None
    if len(np.unique(rows.member)) > 1:
        return rows.member % MOST_PARTS if rows.member.max() >= MOST_PARTS else rows.member
    unit = np.arange(len(rows)) if rows.group is None else rows.group
    first = np.unique(unit, return_index=True)[1]
    order = np.lexsort((rows.outputs[first].max(axis=1), rows.y[first]))
    half = np.empty(len(first), dtype=np.int64)
    half[order] = np.arange(len(first)) % 2
    return half[np.unique(unit, return_inverse=True)[1]]


def _codes(labels: np.ndarray) -> np.ndarray:
    """``(n,)`` positions among the sorted different labels: few, also of millions of rows."""
    import pandas as pd

    return pd.factorize(labels, sort=True)[0].astype(np.int64)

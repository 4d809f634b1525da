"""What a loader needs for prediction sets: the held-out rows of each class as numbers that a JSON file can hold."""

from __future__ import annotations

from typing import Any

import numpy as np

from rarebird.data.row_counts import rows_of
from rarebird.model.conformal import n_units
from rarebird.model.held_out_rows import HeldOutRows

# Numbers of a class and member that are kept; of more rows, those next to one another are merged, to the smallest of
# their probabilities, so that sets can only be larger.
MOST_VALUES = 2000
# The file's float32 differs from the model in the last digits: a row that is as improbable as a held-out one must not
# fall below it.
SLACK = 1e-5


def set_table(held: HeldOutRows) -> dict[str, Any]:
    """Numbers from which `rarebird.model.onnx.loaders.outputs.sets` makes the sets of `conformal.prediction_sets`.

    Args:
        held: Held-out rows with probabilities.

    Returns:
        ``rows``, per class its held-out rows (groups); ``together``, at place k those of the k smallest classes;
        ``held_out``, per class and member the probabilities of the class for its own rows, in order, and how many rows
        each counts for.
    """
    n_classes = held.outputs.shape[1]
    rows = [n_units(held, held.y == code) for code in range(n_classes)]
    order = np.argsort(rows, kind="stable")
    together = [0, *(n_units(held, np.isin(held.y, order[: k + 1])) for k in range(n_classes))]
    weight = rows_of(held.weight) if held.weight.any() else held.weight
    own = held.outputs[np.arange(len(held)), held.y]
    places = [None] if not has_members(held) else range(int(held.member.max()) + 1)  # type: ignore[union-attr]
    kept = [
        [
            _merged(own[chosen], weight[chosen])
            for place in places
            for chosen in [(held.y == code) & (True if place is None else held.member == place)]
        ]
        for code in range(n_classes)
    ]
    return {"rows": rows, "together": together, "held_out": kept}


def has_members(held: HeldOutRows) -> bool:
    """Whether each held-out row is compared with new rows as its own member predicts them."""
    return held.member is not None and len(held.member) > 0


def _merged(values: np.ndarray, weight: np.ndarray) -> list[list[float]]:
    """At most `MOST_VALUES` probabilities in order, and the rows that each counts for."""
    order = np.argsort(values, kind="stable")
    parts = [part for part in np.array_split(order, min(MOST_VALUES, len(order)) or 1) if len(part)]
    smallest = [float(f"{values[part[0]] * (1 - SLACK):.7g}") for part in parts]
    counts = [float(weight[part].sum()) for part in parts]
    return [smallest, [int(count) if count.is_integer() else count for count in counts]]

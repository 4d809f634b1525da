"""What a loader needs for intervals: the held-out errors of a regression as numbers that a JSON file can hold."""

from __future__ import annotations

from typing import Any

import numpy as np

from rarebird.model.conformal import merged_errors, n_units, scaled_errors
from rarebird.model.held_out_rows import HeldOutRows
from rarebird.model.onnx.set_table import MOST_VALUES, has_members


def interval_table(held: HeldOutRows) -> dict[str, Any]:
    """Numbers from which `rarebird.model.onnx.loaders.outputs.intervals` makes those of `conformal.value_intervals`.

    Args:
        held: Held-out rows with predicted values.

    Returns:
        ``rows``, the held-out rows (groups); ``scale``, predictions in order and the size of errors there; ``errors``,
        per member the errors in units of this scale, in order, and how many rows each counts for. Of one model's errors
        at most `MOST_VALUES` are kept; those next to one another are merged to the largest, so that intervals can only
        be wider. Those of members are merged as the model merges them.
    """
    scale, errors, weight = scaled_errors(held)
    if has_members(held):
        assert held.member is not None
        own = [held.member == place for place in range(int(held.member.max()) + 1)]
        kept = [merged_errors(errors[mine], weight[mine]) for mine in own]
    else:
        kept = [merged_errors(errors, weight, MOST_VALUES)]
    return {
        "rows": n_units(held, np.ones(len(held), dtype=bool)),
        "scale": [scale.center.tolist(), scale.size.tolist()],
        "errors": [[sizes.tolist(), counts.tolist()] for sizes, counts in kept],
    }

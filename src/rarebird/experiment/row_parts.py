"""The part of each row that judges: calibrations and decisions for its rows are fitted on the rows of all others."""

from __future__ import annotations

import numpy as np

from rarebird.data.split import halves
from rarebird.experiment.setup import Setup


def row_parts(setup: Setup, seed: int) -> np.ndarray:
    """``(n,)`` the part of each scored row: the one that holds it out, or one of the two halves of a hold-out.

    Rows that no part holds out are in part 0.
    """
    rows = setup.scored_rows
    part = np.zeros(len(rows), dtype=np.int64)
    parts = [] if setup.splits.val is not None else setup.parts(seed)
    if len(parts) > 1:
        for place, (_, held) in enumerate(parts):
            part[held] = place
        return part
    held = parts[0][1] if parts else np.arange(len(rows))
    part[held] = halves(rows.take(held), seed)
    return part

"""The part of each row that judges: calibrations and decisions for its rows are fitted on the rows of all others."""

from __future__ import annotations

import numpy as np

from rarebird.data.split import halves
from rarebird.experiment.setup import Setup


def row_parts(setup: Setup, seed: int) -> np.ndarray:
    """``(n,)`` the part of each scored row: the one that holds it out, or one of the two halves of a hold-out.

    The rows beside a hold-out are in one of two halves as well: leave-one-out outputs hold them out, too.
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
    others = np.ones(len(rows), dtype=bool)
    others[held] = False
    others = np.flatnonzero(others)
    if len(others):
        part[others] = halves(rows.take(others), seed)
    return part


def held_rows(setup: Setup, seed: int) -> np.ndarray:
    """``(n,)`` bool: the scored rows that some part holds out."""
    held = np.full(len(setup.scored_rows), setup.splits.val is not None)
    if setup.splits.val is None:
        for _, rows in setup.parts(seed):
            held[rows] = True
    return held

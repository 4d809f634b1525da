"""Which rows judge a run's models, in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from rarebird.experiment.setup import Setup
from rarebird.training.cross_fit import CrossFit


def judging_rows(setup: Setup, fits: Sequence[CrossFit]) -> str:
    """The sentence of the split, and how solved heads differ: they hold out no rows."""
    solved = [all(one.own_outputs is not None for one in models.trained) for models in fits]
    if setup.splits.val is not None or not any(solved):
        return setup.protocol.reason
    how = "and each row, with its copies and its group, is judged by the head that is solved without it"
    if all(solved):
        return f"All {len(setup.splits.train)} training rows train the solved head, {how} (exact leave-one-out)."
    return f"{setup.protocol.reason} Solved heads differ: all rows train them, {how} (exact leave-one-out)."

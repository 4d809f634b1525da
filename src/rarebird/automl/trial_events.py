"""What a search tells of its recipes to those who watch it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rarebird.automl.candidate import Candidate
from rarebird.automl.criterion import interval
from rarebird.core import events

METRIC = "held-out loss"


def tell_finished(candidate: Candidate, finished: Sequence[Candidate], group: np.ndarray | None) -> None:
    """Tell of a candidate that was trained, and of the best one if it is that.

    Args:
        candidate: The candidate.
        finished: Those that were trained on all parts.
        group: ``(n,)`` labels, equal for rows that are not independent, or None.
    """
    if not events.is_heard():
        return
    low, high = interval(candidate.losses, group)
    scored = {"name": candidate.name, "metric": METRIC, "value": candidate.loss, "low": low, "high": high}
    events.emit(
        "trial",
        **scored,
        role=candidate.role,
        seconds=round(candidate.seconds, 3),
        settings=dict(candidate.settings),
        recipe=candidate.models.recipe.to_toml(),
    )
    if any(candidate is one for one in finished) and candidate.loss <= min(one.loss for one in finished):
        events.emit("best", **scored)

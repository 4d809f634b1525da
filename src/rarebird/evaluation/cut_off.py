"""The cut-off of a model for two classes: the probability of the positive class from which on it is the label."""

from __future__ import annotations

import numpy as np

from rarebird.model.model import Model
from rarebird.slots.decisions import RowCostDecision

# Halvings of the interval in which the cut-off lies; 2**-40 is far below any probability that matters.
HALVINGS = 40


def cut_off(model: Model) -> float | None:
    """The smallest probability of the positive class at which it is the label: found by asking the model's decision,
    whatever the decision is.

    Returns:
        None for more than two classes, for regression, for costs of each row, and where no probability gives the
        positive label, or every one.
    """
    if model.positive is None or len(model.classes) != 2 or model.decision is None:
        return None
    if isinstance(model.decision[1], RowCostDecision) and model.decision[1].column is not None:
        return None
    code = model.classes.index(model.positive)

    def is_positive(probability: float) -> bool:
        pair = np.full((1, 2), 1 - probability)
        pair[0, code] = probability
        return int(model.labels(pair)[0]) == code

    low, high = 0.0, 1.0
    if is_positive(low) or not is_positive(high):
        return None
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if is_positive(middle) else (middle, high)
    return high

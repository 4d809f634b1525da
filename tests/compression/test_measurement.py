"""Recalls before and after a step: by weight, as every figure, and with an interval that knows weights and groups."""

from __future__ import annotations

import numpy as np
import pytest

from rarebird.compression.measurement import class_costs
from rarebird.metrics.names import value
from rarebird.readers.python import from_arrays


def test_recalls_are_those_of_the_weighted_metric() -> None:
    rng = np.random.default_rng(0)
    y = np.where(rng.random(300) < 0.3, "ill", "well")
    rows = from_arrays(rng.normal(size=(300, 2)), y, sample_weight=rng.uniform(0.1, 5, 300))
    before, after = (np.where(rng.random(300) < share, rows.codes, 1 - rows.codes) for share in (0.9, 0.7))
    costs = class_costs(rows, before, after)
    for decided, recalls in ((before, [one.before for one in costs]), (after, [one.after for one in costs])):
        whole = value("balanced_accuracy", rows.codes, np.eye(2)[decided], decided, rows.weights, rows.classes, None)
        assert np.mean(recalls) == pytest.approx(whole)
    for one in costs:
        assert one.difference == pytest.approx(one.after - one.before)
        assert one.low <= one.difference <= one.high

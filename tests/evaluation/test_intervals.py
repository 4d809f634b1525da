"""Intervals of figures by hand: what each share, area and loss adds, weighted and in groups."""

from __future__ import annotations

import numpy as np

from rarebird.evaluation.intervals import bootstrap_estimate
from rarebird.evaluation.result import Estimate


def test_an_undefined_figure_or_draw_has_no_interval() -> None:
    assert bootstrap_estimate(np.nan, np.arange(9.0)) == Estimate(value=None)
    assert bootstrap_estimate(0.5, np.full(9, np.nan)) == Estimate(value=0.5)
    found = bootstrap_estimate(50.0, np.arange(101.0))
    assert (found.value, found.low, found.high) == (50.0, 2.5, 97.5)

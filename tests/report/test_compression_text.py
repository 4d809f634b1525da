"""What the terminal says of merged models."""

from __future__ import annotations

import pytest

from rarebird.compression.measurement import ClassCost, Size
from rarebird.evaluation.estimate import Estimate
from rarebird.evaluation.result import Scores
from rarebird.report.compression_text import merge_summary


@pytest.mark.parametrize("metric", ["r2", "balanced_accuracy"])
def test_only_classes_have_a_table_of_recalls(metric: str) -> None:
    scores = Scores(metrics={metric: Estimate(value=0.3, low=0.2, high=0.4)})
    size = Size(80, 20, 20, {(1, 1): 0.001})
    costs = [ClassCost("ill", 9, 0.5, 0.6, 0.1, 0.0, 0.2, 1, 2)] if metric == "balanced_accuracy" else []
    text = merge_summary("ties", [scores, scores], [size, size], costs, "mg/model", [])
    assert ("Recall on the rows" in text) == bool(costs)
    assert "Merged model: mg/model" in text

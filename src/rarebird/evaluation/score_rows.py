"""Predictions and scores of a model for labelled rows that it never saw."""

from __future__ import annotations

from rarebird.data.dataset import Dataset
from rarebird.data.row_counts import weighted_to
from rarebird.evaluation.coverage_scores import COVERAGE, with_coverage
from rarebird.evaluation.held_out import scores_of_outputs
from rarebird.evaluation.predicted_rows import PredictedRows, predicted_rows
from rarebird.evaluation.result import Scores
from rarebird.model.model import Model


def score_rows(model: Model, rows: Dataset, part: str, coverage: float = COVERAGE) -> tuple[PredictedRows, Scores]:
    """Predict rows once, and score labels, probabilities, the decision, and prediction sets or intervals.

    For a recipe with a prior, rows are weighted to it: the figures are those of rows with these class frequencies.

    Args:
        model: The model.
        rows: Labelled rows with the model's classes in the model's order.
        part: What part of the data they are.
        coverage: The promise of the sets or intervals, 0..1.
    """
    each = model.member_outputs(rows)
    predicted = predicted_rows(model, rows, model.mean_of(each), part)
    scores = scores_of_outputs(model, rows, predicted.outputs)
    weighted = weighted_to(rows, model.prior) if model.recipe.prior else rows
    return predicted, with_coverage(scores, model, weighted, each, coverage)

"""scikit-learn's own estimator checks, on small networks."""

from __future__ import annotations

from typing import Any

from sklearn.utils.estimator_checks import parametrize_with_checks

from rarebird import RarebirdClassifier, RarebirdRegressor

SMALL = ("folds=2", "network.width=32", "network.depth=1", "optimizer.learning_rate=0.02")
EXPECTED_TO_FAIL = {
    "check_sample_weight_equivalence_on_dense_data": "A row given twice may be in two folds and in two "
    "batches, a row of weight 2 is in one of each: the two trainings agree on average, and not to the last digit.",
}


@parametrize_with_checks(
    [RarebirdClassifier(steps=30, settings=SMALL), RarebirdRegressor(steps=30, settings=SMALL)],
    expected_failed_checks=lambda estimator: EXPECTED_TO_FAIL,
)
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)

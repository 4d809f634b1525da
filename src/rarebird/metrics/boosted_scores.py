"""A few boosted trees that score rows for a yes or no: the classifier of tests and figures, not a model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def trees(
    points: np.ndarray, y: np.ndarray, draw: np.random.Generator, weight: np.ndarray | None = None
) -> Callable[[np.ndarray], np.ndarray]:
    """Few boosted trees for a yes or no, that work on ten rows and on thousands: rows ``(n, d)`` -> scores ``(n,)``."""
    import lightgbm

    if y.all() or not y.any():
        return lambda rows: np.zeros(len(rows))
    parameters = {
        "objective": "binary",
        "learning_rate": 0.1,
        "num_leaves": 8,
        "min_data_in_leaf": int(np.clip(len(y) // 20, 2, 20)),
        "min_sum_hessian_in_leaf": 1e-3,
        "lambda_l2": 1.0,
        "feature_fraction": 0.8,
        "seed": int(draw.integers(2**31 - 1)),
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }
    data = lightgbm.Dataset(points, y.astype(int), weight=weight, params={"verbose": -1, "max_bin": 63})
    grown = lightgbm.train(parameters, data, 50)
    return lambda rows: np.asarray(grown.predict(rows, raw_score=True, num_threads=1))

"""The regressor of scikit-learn's form."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import validate_data

from rarebird.estimator.base import RecipeEstimator
from rarebird.estimator.rows import on_host
from rarebird.model.coverage import intervals


class RarebirdRegressor(RegressorMixin, RecipeEstimator):  # type: ignore[misc]
    """Regressor for small tables, series and pictures.

    Parameters
    ----------
    kind, recipe, settings, steps, budget, random_state, device, threads
        As those of `RarebirdClassifier`.
    metric : str, default=None
        What the run is judged by, such as ``"mean_absolute_error"``. None: the recipe's, or mean squared error.

    Attributes
    ----------
    model_, recipe_, result_, outcome_, n_features_in_, feature_names_in_
        As those of `RarebirdClassifier`.
    """

    _task = "regression"

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Train on rows.

        Parameters
        ----------
        X, sample_weight, groups
            As those of `RarebirdClassifier.fit`.
        y : array-like of shape (n_samples,)
            Finite numbers.
        """
        self._fit(X, validate_data(self, y=on_host(y), y_numeric=True), sample_weight, groups)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The expected values, (n_samples,); X as in `fit`."""
        return self._outputs(X)[:, 0]

    def predict_interval(self, X: Any, coverage: float = 0.9) -> np.ndarray:
        """Intervals that contain the true value with a promised frequency, wider where errors are larger.

        Parameters
        ----------
        X : as in `fit`
        coverage : float, default=0.9
            The share of new rows whose interval contains the value.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Lower and upper ends.

        Raises
        ------
        DataError
            A ValueError: there are too few held-out rows for the coverage.
        """
        return intervals(self.model_, self._member_outputs(X), coverage)

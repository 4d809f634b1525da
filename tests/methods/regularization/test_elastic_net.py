"""Elastic net: scikit-learn's weights, and L1 at one end."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import linear_model

from rarebird.methods.regularization.elastic_net import ElasticNet
from rarebird.methods.regularization.l1 import L1
from tests.methods.regularization.test_l1 import descended, problem


@pytest.mark.parametrize("l1_share", [0.2, 0.8])
def test_scikit_learns_weights_are_found(l1_share: float) -> None:
    x, y = problem()
    expected = linear_model.ElasticNet(alpha=0.5, l1_ratio=l1_share, fit_intercept=False, tol=1e-10).fit(x, y).coef_
    found = descended(ElasticNet(strength=0.5, l1_share=l1_share))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_array_equal(found == 0, expected == 0)


def test_ridge_and_lasso_at_the_ends() -> None:
    x, y = problem()
    ridge = linear_model.Ridge(alpha=0.5 * len(y), fit_intercept=False).fit(x, y).coef_
    np.testing.assert_allclose(descended(ElasticNet(strength=0.5, l1_share=0.0)), ridge, atol=1e-6)
    np.testing.assert_allclose(
        descended(ElasticNet(strength=0.3, l1_share=1.0)), descended(L1(strength=0.3)), rtol=1e-10
    )

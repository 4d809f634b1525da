"""Balanced decision: the largest rise above the prior, ties to the rarest, and the best expected recall."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from rarebird.methods.decision.balanced import Balanced, FittedBalanced, above_prior
from rarebird.slots.decisions import DecisionRows

PRIOR = np.array([0.9, 0.09, 0.01])


def test_rows_at_the_prior_go_to_the_rarest_class_in_any_order() -> None:
    for order in itertools.permutations(range(3)):
        prior = PRIOR[list(order)]
        assert above_prior(np.tile(prior, (5, 1)), prior).tolist() == [order.index(2)] * 5


def test_two_classes_are_cut_at_the_prior() -> None:
    p = np.linspace(0, 1, 101)
    codes = above_prior(np.stack([1 - p, p], axis=1), np.array([0.895, 0.105]))
    np.testing.assert_array_equal(codes, (p > 0.105).astype(int))


def test_equal_priors_give_argmax() -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(4), size=100)
    np.testing.assert_array_equal(above_prior(p, np.full(4, 0.25)), p.argmax(axis=1))


def test_maximizes_expected_balanced_accuracy() -> None:
    # Three kinds of rows, equally common; every way to label them is tried.
    p = np.array([[0.90, 0.08, 0.02], [0.6, 0.35, 0.05], [0.95, 0.02, 0.03]])
    prior = p.mean(axis=0)

    def expected(labels: tuple[int, ...]) -> float:
        return float(sum(p[row, label] / (3 * prior[label]) for row, label in enumerate(labels)))

    best = max(itertools.product(range(3), repeat=3), key=expected)
    assert tuple(above_prior(p, prior)) == best


def test_a_class_without_training_rows_is_never_chosen() -> None:
    codes = above_prior(np.array([[0.1, 0.1, 0.8]]), np.array([0.5, 0.5, 0.0]))
    assert codes[0] in (0, 1)


def test_other_class_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="one prior per class"):
        FittedBalanced(prior=(0.5, 0.5))(np.ones((1, 3)) / 3)


def test_equal_ratios_up_to_rounding_go_to_the_rarest_and_larger_ones_do_not() -> None:
    prior = np.array([0.75, 0.25])
    for p, expected in ((0.25, 1), (0.25 * (1 - 1e-12), 1), (0.25 * (1 - 1e-6), 0), (0.2, 0), (0.3, 1)):
        assert above_prior(np.array([[1 - p, p]]), prior).tolist() == [expected]
    assert above_prior(np.array([[0.0, 0.0, 1.0], [1e-30, 0.0, 1.0]]), np.array([0.5, 0.5, 0.0])).tolist() == [0, 0]


def test_the_fitted_decision_keeps_the_prior_and_uses_it() -> None:
    fitted = Balanced().fit(
        DecisionRows(np.ones((1, 2)), np.zeros(1, int), np.ones(1), lambda *rows: 0.0, np.array([0.9, 0.1]))
    )
    assert fitted.prior == (0.9, 0.1)
    assert fitted(np.array([[0.8, 0.2], [0.95, 0.05]], dtype=np.float32)).tolist() == [1, 0]


@pytest.mark.parametrize("prior", [(0.5, 0.5, 0.0), (0.6, 0.4, 0.0), (0.9, 0.09, 0.01)])
@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_on_tensors_of_any_precision_it_is_the_same_decision(prior: tuple[float, ...], precision: type) -> None:
    """Also where a class has no training rows, and its probability is 1."""
    rows = np.random.default_rng(1).dirichlet(np.ones(3), size=100)
    p = np.concatenate([rows, [[0.1, 0.1, 0.8], [0, 0, 1], [1, 0, 0]], [prior]]).astype(precision)
    found = FittedBalanced(prior=prior)
    np.testing.assert_array_equal(found.on_tensors(torch.from_numpy(p)).numpy(), found(p))
    if prior[2] == 0:
        assert found(p).max() == 1

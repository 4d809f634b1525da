"""Weighted cross entropy: scikit-learn's and torch's weights, and labels that must match."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from rarebird.core.checks import DataError
from rarebird.methods.loss.weighted import Weighted
from rarebird.slots.protocols import TargetStatistics

COUNTS = np.array([90, 9, 1])
TARGETS = TargetStatistics(COUNTS)


def test_balanced_weights_are_scikit_learns() -> None:
    y = np.repeat([0, 1, 2], COUNTS)
    np.testing.assert_allclose(
        Weighted().prior_factor(TARGETS), compute_class_weight("balanced", classes=np.arange(3), y=y)
    )


def test_loss_equals_torchs_with_these_weights() -> None:
    logits = torch.randn(30, 3, generator=torch.Generator().manual_seed(0))
    codes = torch.arange(30) % 3
    y = torch.nn.functional.one_hot(codes, 3).float()
    weights = torch.tensor(Weighted(scheme="inverse_square_root").prior_factor(TARGETS), dtype=torch.float32)
    ours = Weighted(scheme="inverse_square_root").build(TARGETS)(logits, y)
    torch.testing.assert_close(ours, torch.nn.functional.cross_entropy(logits, codes, weight=weights, reduction="none"))


def test_schemes_are_powers_of_the_counts() -> None:
    full, root = Weighted().prior_factor(TARGETS), Weighted(scheme="inverse_square_root").prior_factor(TARGETS)
    np.testing.assert_allclose(full / full[0], [1, 10, 90])
    np.testing.assert_allclose(root / root[0], np.sqrt([1, 10, 90]))


@pytest.mark.parametrize("scheme", ["balanced", "inverse_square_root"])
def test_equal_counts_give_cross_entropy(scheme: str) -> None:
    np.testing.assert_allclose(Weighted(scheme=scheme).prior_factor(TargetStatistics(np.array([7, 7, 7]))), 1)


def test_a_class_without_rows_weighs_as_one_row() -> None:
    none, one = (Weighted().prior_factor(TargetStatistics(np.array([90, 10, rows]))) for rows in (0, 1))
    np.testing.assert_allclose(none / none[0], one / one[0])


def test_weights_by_label_follow_the_order_of_the_classes() -> None:
    loss = Weighted(class_weight={"狗": 4.0, "猫": 1.0})
    first, second = (
        loss.prior_factor(TargetStatistics(np.array([50, 50]), classes)) for classes in (("猫", "狗"), ("狗", "猫"))
    )
    np.testing.assert_allclose(first, second[::-1])
    assert first[1] == pytest.approx(4 * first[0])


def test_unknown_and_missing_labels_are_refused_by_name() -> None:
    targets = TargetStatistics(np.array([5, 5]), ("class_a", "class_b"))
    with pytest.raises(DataError, match="'clas_b', which is not in the data; did you mean 'class_b'"):
        Weighted(class_weight={"class_a": 1, "clas_b": 2}).build(targets)
    with pytest.raises(DataError, match="no weight for the class 'class_b'"):
        Weighted(class_weight={"class_a": 1}).build(targets)
    with pytest.raises(ValueError, match=r"class_weight.class_a > 0.*class_weight.class_a=0"):
        Weighted(class_weight={"class_a": 0})


def test_regression_is_refused() -> None:
    with pytest.raises(ValueError, match="weighted is for classes"):
        Weighted().build(TargetStatistics(values=np.zeros(3)))

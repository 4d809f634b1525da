"""Label-aware smoothing: the paper's shares per class, and targets that still sum to 1."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rarebird.methods.loss.label_aware_smoothing import LabelAwareSmoothing, label_aware_smoothing, smoothed_shares
from rarebird.slots.protocols import TargetStatistics

COUNTS = np.array([101, 51, 1])
TARGETS = TargetStatistics(COUNTS)


@pytest.mark.parametrize(
    ("curve", "middle"),
    [("concave", np.sin(np.pi / 4)), ("linear", 0.5), ("convex", 1 + np.sin(3 * np.pi / 2 + np.pi / 4))],
)
def test_shares_rise_from_tail_to_head_along_the_papers_curves(curve: str, middle: float) -> None:
    np.testing.assert_allclose(smoothed_shares(COUNTS, 0.4, 0.1, curve), [0.4, 0.1 + 0.3 * middle, 0.1])


def test_targets_are_the_papers() -> None:
    logits = torch.randn(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    shares = torch.tensor([0.3, 0.2, 0.0], dtype=torch.float64)
    expected = torch.tensor([[0.7, 0.15, 0.15], [0.1, 0.8, 0.1], [0.0, 0.0, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(
        label_aware_smoothing(logits, torch.eye(3, dtype=torch.float64), shares),
        torch.nn.functional.cross_entropy(logits, expected, reduction="none"),
    )


def test_equal_classes_give_torchs_label_smoothing() -> None:
    logits, y = torch.randn(4, 4, generator=torch.Generator().manual_seed(0)), torch.eye(4)
    ours = LabelAwareSmoothing(head=0.3).build(TargetStatistics(np.array([5, 5, 5, 5])))(logits, y)
    # Torch spreads over all classes, the row's own included: 3/4 of its share go to the others.
    torch.testing.assert_close(
        ours, torch.nn.functional.cross_entropy(logits, y, reduction="none", label_smoothing=0.4)
    )


def test_the_rarest_class_is_not_smoothed_by_default() -> None:
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    y = torch.eye(3)[[2] * 5]
    ours = LabelAwareSmoothing().build(TARGETS)(logits, y)
    torch.testing.assert_close(ours, torch.nn.functional.cross_entropy(logits, y, reduction="none"))
    assert LabelAwareSmoothing().prior_factor(TARGETS) is None


def test_the_tail_must_not_be_smoothed_more_than_the_head() -> None:
    with pytest.raises(ValueError, match=r"`tail <= head` must hold, but got tail=0\.5, head=0\.3"):
        LabelAwareSmoothing(tail=0.5)

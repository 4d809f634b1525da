"""Cross entropy against torch's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rarebird.methods.loss.cross_entropy import CrossEntropy, cross_entropy
from rarebird.slots.protocols import TargetStatistics

TARGETS = TargetStatistics(np.array([9, 1, 5, 5]))


def test_equals_torch_on_hard_and_soft_targets() -> None:
    logits = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    codes = torch.arange(20) % 4
    soft = torch.softmax(logits.flip(0), dim=1)
    hard = torch.nn.functional.one_hot(codes, 4).float()
    torch.testing.assert_close(
        cross_entropy(logits, hard), torch.nn.functional.cross_entropy(logits, codes, reduction="none")
    )
    torch.testing.assert_close(
        cross_entropy(logits, soft), torch.nn.functional.cross_entropy(logits, soft, reduction="none")
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.6])
def test_smoothing_equals_torchs(smoothing: float) -> None:
    logits = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    soft = torch.softmax(logits.flip(0), dim=1)
    ours = CrossEntropy(label_smoothing=smoothing).build(TARGETS)(logits, soft)
    torch.testing.assert_close(
        ours, torch.nn.functional.cross_entropy(logits, soft, reduction="none", label_smoothing=smoothing)
    )


def test_the_prior_is_known_without_smoothing_alone() -> None:
    np.testing.assert_array_equal(CrossEntropy().prior_factor(TARGETS), np.ones(4))
    assert CrossEntropy(label_smoothing=0.1).prior_factor(TARGETS) is None


def test_float32_under_autocast() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = CrossEntropy().build(TARGETS)(torch.zeros(2, 4, dtype=torch.bfloat16), torch.full((2, 4), 1 / 4))
    assert value.dtype == torch.float32

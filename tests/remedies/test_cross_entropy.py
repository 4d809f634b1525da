"""Cross entropy against torch's own."""

from __future__ import annotations

import torch

from rarebird.remedies.loss.cross_entropy import CrossEntropy, cross_entropy, log_probabilities


def test_equals_torch_on_hard_and_soft_targets() -> None:
    logits = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    codes = torch.arange(20) % 4
    soft = torch.softmax(logits.flip(0), dim=1)
    hard = torch.nn.functional.one_hot(codes, 4).float()
    torch.testing.assert_close(cross_entropy(logits, hard), torch.nn.functional.cross_entropy(logits, codes, reduction="none"))
    torch.testing.assert_close(cross_entropy(logits, soft), torch.nn.functional.cross_entropy(logits, soft, reduction="none"))


def test_half_precision_logits_are_lifted_and_double_ones_kept() -> None:
    for given, got in ((torch.bfloat16, torch.float32), (torch.float16, torch.float32), (torch.float64, torch.float64)):
        assert log_probabilities(torch.zeros(2, 3, dtype=given)).dtype == got
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert CrossEntropy().build(None)(torch.zeros(2, 3, dtype=torch.bfloat16), torch.full((2, 3), 1 / 3)).dtype == torch.float32

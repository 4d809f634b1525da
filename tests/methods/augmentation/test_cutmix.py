"""CutMix: targets and weights follow the area, or the steps, that were really pasted."""

from __future__ import annotations

import torch

from rarebird.methods.augmentation.cutmix import Cutmix, span

N = 600


def test_area_decides_the_target(augment, generator) -> None:
    y = torch.eye(3)[torch.randint(0, 3, (N,), generator=generator)]
    pixels = y[:, :, None, None].expand(-1, -1, 9, 13).contiguous()
    x, mixed, _ = augment(Cutmix(p=1), {"pixels": pixels}, y)
    torch.testing.assert_close(x["pixels"].mean((2, 3)), mixed)
    x, weighted, weight = augment(Cutmix(p=1), {"pixels": pixels}, y, y @ torch.tensor([1.0, 2.0, 5.0]))
    torch.testing.assert_close(weighted.sum(1), torch.ones(N))
    # Each half carries its own weight.
    torch.testing.assert_close(weight[:, None] * weighted, x["pixels"].mean((2, 3)) * torch.tensor([1.0, 2.0, 5.0]))
    assert set(x["pixels"].unique().tolist()) == {0.0, 1.0}
    assert (mixed.amax(1) < 1).float().mean() > 0.5


def test_steps_decide_the_target_and_lengths_stay(augment, generator) -> None:
    y = torch.eye(3)[torch.randint(0, 3, (N,), generator=generator)]
    lengths = torch.randint(1, 20, (N,), generator=generator)
    own = torch.arange(20) < lengths[:, None]
    x, mixed, _ = augment(Cutmix(p=1), {"values": y[:, :, None] * own[:, None], "lengths": lengths}, y)
    assert torch.equal(x["lengths"], lengths)
    torch.testing.assert_close(x["values"].sum(2) / lengths[:, None], mixed)


def test_a_span_lies_within_both_series(generator) -> None:
    lengths, partner = torch.full((2000,), 16), torch.full((2000,), 12)
    inside = span(torch.full((2000,), 0.25), lengths, partner, 20, generator)[:, 0]
    assert not inside[:, 12:].any()
    assert inside.sum(1).max() == 4
    assert inside[:, :12].any(0).all()

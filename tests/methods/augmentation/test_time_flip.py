"""Time flip: twice is the identity, each series within its own length, against Python's own reversal."""

from __future__ import annotations

import torch

from rarebird.methods.augmentation.time_flip import TimeFlip, backwards


def test_against_slices_and_twice_is_the_identity(generator) -> None:
    lengths = torch.tensor([8, 5, 1])
    values = torch.randn(3, 2, 8, generator=generator) * (torch.arange(8) < lengths[:, None])[:, None]
    reversed_ = backwards(values, lengths)
    for row, n in enumerate(lengths.tolist()):
        assert torch.equal(reversed_[row, :, :n], values[row, :, :n].flip(-1))
        assert (reversed_[row, :, n:] == 0).all()
    assert torch.equal(backwards(reversed_, lengths), values)


def test_a_share_of_the_rows_is_reversed_as_a_whole(augment) -> None:
    values = torch.stack([torch.arange(10.0), torch.arange(10.0) ** 2]).expand(3000, 2, 10).contiguous()
    flipped = augment(TimeFlip(p=0.3), {"values": values, "lengths": torch.full((3000,), 10)})[0]["values"]
    turned = flipped[:, 0, 0] == 9
    assert abs(turned.float().mean() - 0.3) < 0.03
    assert torch.equal(flipped[turned], values[turned].flip(-1))
    assert torch.equal(flipped[~turned], values[~turned])

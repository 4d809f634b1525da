"""Channel dropout: whole channels at the rate, never all of a row, and no change for a single channel."""

from __future__ import annotations

import pytest
import torch

from rarebird.methods.augmentation.channel_dropout import ChannelDropout, kept

N = 4000


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9, 1.0])
def test_rate_and_the_one_that_stays(rate: float, generator) -> None:
    mask = kept(rate, N, 4, generator)
    assert mask.any(1).all()
    # A row that would lose all its channels, with probability rate^4, keeps one of them.
    torch.testing.assert_close(mask.float().mean().item(), 1 - rate + rate**4 / 4, atol=0.02, rtol=0)
    assert (mask.float().mean(0) - mask.float().mean()).abs().max() < 0.04


def test_channels_are_dropped_whole_and_the_rest_kept_to_the_bit(augment, generator) -> None:
    values = torch.randn(N, 3, 7, generator=generator)
    dropped = augment(ChannelDropout(rate=0.4), {"values": values, "lengths": torch.full((N,), 7)}, channels=3)[0][
        "values"
    ]
    zero = (dropped == 0).all(2)
    assert torch.equal(dropped, torch.where(zero[:, :, None], 0, values))
    assert 0 < zero.sum(1).float().mean() < 3


def test_one_channel_is_left_alone(augment) -> None:
    x = {"values": torch.ones(5, 1, 7), "lengths": torch.full((5,), 7)}
    assert augment(ChannelDropout(rate=1), x, channels=1)[0] is x

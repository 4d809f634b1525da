"""Window crop: a whole window is the identity, numpy's interpolation the referee, each series within its own length."""

from __future__ import annotations

import numpy as np
import torch

from rarebird.methods.augmentation.window_crop import WindowCrop, window


def padded(lengths: torch.Tensor, steps: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randn(len(lengths), 2, steps, generator=generator) * (torch.arange(steps) < lengths[:, None])[:, None]


def test_the_whole_window_is_the_identity(generator) -> None:
    lengths = torch.tensor([9, 4, 1])
    values = padded(lengths, 9, generator)
    assert torch.equal(window(values, lengths, torch.ones(3), torch.tensor([0.0, 0.5, 1.0])), values)


def test_against_numpy(generator) -> None:
    lengths, share, place = (
        torch.tensor([30, 17, 2, 1]),
        torch.tensor([0.5, 0.83, 0.7, 0.6]),
        torch.tensor([0.0, 1.0, 0.4, 0.9]),
    )
    values = padded(lengths, 30, generator)
    result = window(values, lengths, share, place)
    for row in range(4):
        n, part = int(lengths[row]), float(share[row]) * (int(lengths[row]) - 1)
        start = float(place[row]) * (n - 1 - part)
        for channel in range(2):
            expected = np.interp(np.linspace(start, start + part, n), np.arange(n), values[row, channel, :n].numpy())
            np.testing.assert_allclose(result[row, channel, :n].numpy(), expected, atol=1e-5)
        assert (result[row, :, n:] == 0).all()


def test_windows_keep_the_smallest_share_and_reach_both_ends(augment) -> None:
    lengths = torch.full((2000,), 51)
    ramp = torch.arange(60.0).expand(2000, 1, 60) * (torch.arange(60) < 51)
    cropped = augment(WindowCrop(min_share=0.6), {"values": ramp, "lengths": lengths})[0]["values"][:, 0]
    first, last = cropped[:, 0], cropped[:, 50]
    shares = (last - first) / 50
    assert 0.6 <= shares.min() < 0.61
    assert 0.99 < shares.max() <= 1
    assert first.min() >= 0
    assert last.max() <= 50
    assert first.max() > 19
    assert last.min() < 31

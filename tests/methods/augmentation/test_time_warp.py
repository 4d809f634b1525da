"""Time warp: even speed is the identity, ends stay, order stays; numpy's interpolation is the referee."""

from __future__ import annotations

import numpy as np
import torch

from rarebird.methods.augmentation.time_warp import TimeWarp, warped


def test_even_speed_is_the_identity(generator) -> None:
    lengths = torch.tensor([9, 4, 1])
    values = torch.randn(3, 2, 9, generator=generator) * (torch.arange(9) < lengths[:, None])[:, None]
    torch.testing.assert_close(warped(values, lengths, torch.full((3, 4), 2.5)), values, atol=1e-5, rtol=1e-5)


def test_against_numpy(generator) -> None:
    lengths, speed = torch.tensor([30, 17]), torch.tensor([[1.0, 3.0, 0.5], [0.2, 1.0, 1.0]])
    values = torch.randn(2, 1, 30, generator=generator) * (torch.arange(30) < lengths[:, None])[:, None]
    result = warped(values, lengths, speed)
    for row in range(2):
        n = int(lengths[row])
        pace = np.interp(np.arange(n) / (n - 1), np.linspace(0, 1, 3), speed[row].numpy())
        path = np.cumsum(pace) - pace[0]
        expected = np.interp(path / path[-1] * (n - 1), np.arange(n), values[row, 0, :n].numpy())
        np.testing.assert_allclose(result[row, 0, :n].numpy(), expected, atol=1e-5)
        assert (result[row, 0, n:] == 0).all()


def test_order_and_ends_stay(augment) -> None:
    lengths = torch.arange(200) % 30 + 2
    ramp = torch.arange(32.0).expand(200, 1, 32) * (torch.arange(32) < lengths[:, None])[:, None]
    result = augment(TimeWarp(strength=0.8, knots=8), {"values": ramp, "lengths": lengths})[0]["values"][:, 0]
    own = torch.arange(32) < lengths[:, None]
    assert (result.diff()[own[:, 1:]] >= -1e-4).all()
    torch.testing.assert_close(result[:, 0], torch.zeros(200))
    torch.testing.assert_close(result.gather(1, (lengths - 1)[:, None])[:, 0], (lengths - 1).float())
    assert (result - ramp[:, 0]).abs().max() > 1

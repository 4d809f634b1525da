"""Magnitude scaling: one factor per row and channel, about 1, never negative."""

from __future__ import annotations

import torch

from rarebird.methods.augmentation.magnitude_scale import MagnitudeScale


def test_one_factor_per_channel(augment, generator) -> None:
    values = torch.rand(3000, 2, 5, generator=generator) + 0.5
    factor = (
        augment(MagnitudeScale(strength=0.2), {"values": values, "lengths": torch.full((3000,), 5)})[0]["values"]
        / values
    )
    assert (factor.amax(2) - factor.amin(2)).max() < 1e-6
    torch.testing.assert_close(factor.mean().item(), 1.0, atol=0.01, rtol=0)
    torch.testing.assert_close(factor[:, :, 0].std().item(), 0.2, atol=0.01, rtol=0)
    assert torch.corrcoef(factor[:, :, 0].T)[0, 1].abs() < 0.06


def test_curves_never_turn_over(augment) -> None:
    values = torch.ones(3000, 1, 3)
    assert (
        augment(MagnitudeScale(strength=1), {"values": values, "lengths": torch.full((3000,), 3)})[0]["values"] >= 0
    ).all()

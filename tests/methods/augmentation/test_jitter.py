"""Jitter: noise on a series' own steps, none on its padding."""

from __future__ import annotations

import torch

from rarebird.methods.augmentation.jitter import Jitter


def test_noise_level_and_padding(augment) -> None:
    lengths = torch.arange(400) % 50 + 50
    x = augment(Jitter(strength=0.4), {"values": torch.zeros(400, 2, 100), "lengths": lengths})[0]
    own = (torch.arange(100) < lengths[:, None])[:, None]
    assert (x["values"] * ~own == 0).all()
    level = ((x["values"] ** 2).sum((1, 2)) / (2 * lengths)).sqrt()
    assert level.max() < 0.5
    assert 0.17 < level.mean() < 0.23

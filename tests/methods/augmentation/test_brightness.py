"""Brightness: one shift per row, in units of the training pixels, kept in 0..1."""

from __future__ import annotations

import torch

from rarebird.methods.augmentation.brightness import Brightness, shifted


def test_a_row_moves_as_one_by_at_most_the_strength(augment, pictures) -> None:
    inside = 0.4 + 0.2 * pictures
    change = (augment(Brightness(strength=1), {"pixels": inside}, std=(0.3, 0.4))[0]["pixels"] - inside).flatten(1)
    assert (change.amax(1) - change.amin(1)).max() < 1e-6
    # The root mean square of .3 and .4.
    assert 0.3 < change.abs().max() <= 0.125**0.5 + 1e-6
    assert change[:, 0].mean().abs() < 0.04


def test_shifts_are_clamped(pictures) -> None:
    assert shifted(pictures, torch.full((400,), 2.0)).min() == 1
    assert shifted(pictures, torch.full((400,), -2.0)).max() == 0

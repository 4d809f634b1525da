"""Translation by whole pixels moves them; draws stay within the bound."""

from __future__ import annotations

import torch

from rarebird.methods.augmentation import _geometry
from rarebird.methods.augmentation.translate import Translate, translation


def test_whole_pixels_move_to_the_right_and_down(pictures) -> None:
    matrix = translation(torch.full((400,), 3 / 20), torch.full((400,), 2 / 12))
    moved = _geometry.resample(pictures, _geometry.compose([matrix], 12, 20), "zero")
    torch.testing.assert_close(moved[..., 2:, 3:], pictures[..., :-2, :-3], atol=1e-5, rtol=0)
    assert moved[..., :2, :].abs().max() < 1e-5


def test_draws_stay_within_the_fraction_and_are_independent(generator) -> None:
    shift = Translate(fraction=0.1).bind(None).matrix(5000, generator)[:, :2, 2]
    assert shift.abs().max() <= 0.2
    assert torch.corrcoef(shift.T)[0, 1].abs() < 0.05

"""Vertical flips are exact, and turn pictures upside down together with horizontal ones."""

from __future__ import annotations

import torch

from rarebird.methods.augmentation.horizontal_flip import HorizontalFlip
from rarebird.methods.augmentation.vertical_flip import VerticalFlip


def test_rows_turn_upside_down(augment, pictures) -> None:
    assert torch.equal(augment(VerticalFlip(p=1), {"pixels": pictures})[0]["pixels"], pictures.flip(-2))


def test_with_the_other_flip_it_is_half_a_turn(augment, pictures) -> None:
    flipped = augment(HorizontalFlip(p=1), augment(VerticalFlip(p=1), {"pixels": pictures})[0])[0]["pixels"]
    assert torch.equal(flipped, torch.rot90(pictures, 2, dims=(2, 3)))

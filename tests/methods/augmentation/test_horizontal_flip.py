"""Horizontal flips are exact, and an even chance each."""

from __future__ import annotations

import torch

from rarebird.methods.augmentation.horizontal_flip import HorizontalFlip


def test_every_row_is_itself_or_its_mirror(augment, pictures) -> None:
    flipped = augment(HorizontalFlip(), {"pixels": pictures})[0]["pixels"]
    kept, mirrored = (flipped == pictures).flatten(1).all(1), (flipped == pictures.flip(-1)).flatten(1).all(1)
    assert (kept ^ mirrored).all()
    assert 0.4 < mirrored.float().mean() < 0.6


def test_twice_is_the_identity(augment, pictures) -> None:
    once = augment(HorizontalFlip(p=1), {"pixels": pictures})[0]
    assert torch.equal(augment(HorizontalFlip(p=1), once)[0]["pixels"], pictures)

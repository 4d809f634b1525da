"""Erasing: rectangles of the asked area, filled with the training mean, and nothing else touched."""

from __future__ import annotations

import torch

from rarebird.methods.augmentation.erase import Erase

MEAN = (0.25, 0.75)


def test_rectangles(augment) -> None:
    pictures = torch.rand(300, 2, 40, 40)
    erased = augment(Erase(max_area=0.3, p=1), {"pixels": pictures}, mean=MEAN, channels=2)[0]["pixels"]
    gone = (erased != pictures).any(1)
    assert torch.equal(erased.permute(0, 2, 3, 1)[gone], torch.tensor(MEAN).expand(int(gone.sum()), 2))
    rectangle = gone.any(1).sum(1) * gone.any(2).sum(1)
    assert torch.equal(rectangle, gone.flatten(1).sum(1))
    area = rectangle / 1600
    assert 0.01 < area.min() < 0.05
    assert 0.25 < area.max() < 0.33


def test_half_of_the_rows_by_default(augment, pictures) -> None:
    erased = augment(Erase(), {"pixels": pictures}, mean=MEAN, channels=2)[0]["pixels"]
    assert 0.4 < (erased != pictures).flatten(1).any(1).float().mean() < 0.6

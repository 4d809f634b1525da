"""Time shift: whole steps, ends repeated, within each series' own length."""

from __future__ import annotations

import numpy as np
import torch

from rarebird.methods.augmentation.time_shift import TimeShift, moved


def test_against_numpy(generator) -> None:
    lengths, steps = torch.tensor([8, 5, 1, 6]), torch.tensor([2.0, -3.0, 1.0, 0.0])
    values = torch.randn(4, 2, 8, generator=generator) * (torch.arange(8) < lengths[:, None])[:, None]
    shifted = moved(values, lengths, steps)
    for row in range(4):
        n, by = int(lengths[row]), int(steps[row])
        own = np.pad(values[row, :, :n].numpy(), ((0, 0), (10, 10)), mode="edge")[:, 10 - by : 10 - by + n]
        np.testing.assert_array_equal(shifted[row].numpy(), np.pad(own, ((0, 0), (0, 8 - n))))


def test_moves_are_bounded_by_the_fraction_of_the_length(augment) -> None:
    lengths = torch.full((500,), 50)
    values = torch.arange(100.0).expand(500, 1, 100) * (torch.arange(100) < 50)
    middle = (
        augment(TimeShift(fraction=0.2), {"values": values.contiguous(), "lengths": lengths})[0]["values"][:, 0, 25]
        - 25
    )
    assert middle.abs().max() == 10
    assert torch.equal(middle, middle.round())

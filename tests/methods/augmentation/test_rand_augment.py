"""RandAugment: all draws of one strength, more of them change more, and flips only where asked."""

from __future__ import annotations

import torch

from rarebird.data.spec import InputSpec
from rarebird.methods.augmentation.rand_augment import RandAugment
from rarebird.slots.protocols import TrainStatistics

SPEC = InputSpec(
    kind="image", task="classification", n_outputs=2, channels=3, height=12, width=20, mean=(0.5,) * 3, std=(0.25,) * 3
)


def test_every_draw_has_the_magnitude(generator) -> None:
    step = RandAugment(number=3, magnitude=0.4).bind(TrainStatistics(SPEC))
    chosen, level = step.draw(500, generator)
    assert chosen.shape == level.shape == (3, 500)
    torch.testing.assert_close(level.abs(), torch.full((3, 500), 0.4))


def test_more_and_stronger_operations_change_more(augment, pictures) -> None:
    colors = pictures[:, :1].expand(-1, 3, -1, -1) * torch.tensor([1.0, 0.8, 0.6])[:, None, None]
    spec = {"channels": 3, "mean": (0.5,) * 3, "std": (0.25,) * 3}
    change = [
        (augment(RandAugment(number=number, magnitude=magnitude), {"pixels": colors}, **spec)[0]["pixels"] - colors)
        .abs()
        .mean()
        .item()
        for number, magnitude in ((1, 0.1), (1, 0.5), (3, 0.5), (3, 1.0))
    ]
    assert change == sorted(change)
    assert change[0] < change[-1] / 3


def test_flips_alone_remain_at_magnitude_zero(augment) -> None:
    ramp = torch.linspace(0, 1, 9).expand(600, 1, 9, 9)
    flipped = augment(RandAugment(number=1, magnitude=0, flips=True), {"pixels": ramp}, channels=1)[0]["pixels"]
    mirrored = (flipped - ramp.flip(-1)).abs().amax((1, 2, 3)) < 1e-5
    still = (flipped - ramp).abs().amax((1, 2, 3)) < 1e-5
    assert (mirrored | still).all()
    # One of seven moves, five retouches and nothing.
    torch.testing.assert_close(mirrored.float().mean().item(), 1 / 13, atol=0.03, rtol=0)

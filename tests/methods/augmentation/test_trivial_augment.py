"""TrivialAugment: one operation per row, of any strength up to the magnitude."""

from __future__ import annotations

import torch

from rarebird.data.spec import InputSpec
from rarebird.methods.augmentation.trivial_augment import TrivialAugment
from rarebird.slots.protocols import TrainStatistics

SPEC = InputSpec(
    kind="image", task="classification", n_outputs=2, channels=3, height=12, width=20, mean=(0.5,) * 3, std=(0.25,) * 3
)


def test_one_draw_of_uniform_strength(generator) -> None:
    step = TrivialAugment(magnitude=0.6).bind(TrainStatistics(SPEC))
    chosen, level = step.draw(20000, generator)
    assert chosen.shape == level.shape == (1, 20000)
    assert level.abs().max() <= 0.6
    torch.testing.assert_close(level.mean().item(), 0.0, atol=0.01, rtol=0)
    torch.testing.assert_close(level.std().item(), 0.6 / 3**0.5, rtol=0.02, atol=0)


def test_a_thirteenth_of_the_rows_stays_to_the_bit(augment, pictures) -> None:
    colors = pictures[:, :1].repeat(5, 3, 1, 1) * torch.tensor([1.0, 0.8, 0.6])[:, None, None]
    changed = augment(TrivialAugment(), {"pixels": colors}, channels=3, mean=(0.5,) * 3, std=(0.25,) * 3)[0]["pixels"]
    still = (changed == colors).flatten(1).all(1).float().mean()
    torch.testing.assert_close(still.item(), 1 / 13, atol=0.025, rtol=0)
    assert changed.min() >= 0
    assert changed.max() <= 1

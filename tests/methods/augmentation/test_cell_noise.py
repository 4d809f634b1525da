"""Cell noise: scaled by the bulk of each column; flags, missing cells and categories are left alone."""

from __future__ import annotations

import torch

from rarebird.data.spec import InputSpec
from rarebird.methods.augmentation.cell_noise import CellNoise, spreads

NORMAL = (-2.0, -0.6745, 0.0, 0.6745, 2.0)
LONG_TAILED = (-0.2, -0.1, -0.05, 0.0, 9.0)
FLAG = (-0.5, 2.0)


def test_noise_follows_the_bulk_of_each_column(augment) -> None:
    missing = torch.zeros(4000, 3)
    missing[::2, 0] = 1
    x = {"numbers": torch.zeros(4000, 3), "missing": missing, "categories": torch.ones(4000, 2, dtype=torch.long)}
    after = augment(CellNoise(strength=0.3), x, n_numbers=3, bins=(NORMAL, LONG_TAILED, FLAG))[0]
    torch.testing.assert_close(after["numbers"][1::2, 0].std().item(), 0.3, atol=0.02, rtol=0)
    torch.testing.assert_close(after["numbers"][:, 1].std().item(), 0.3 * 0.1 / 1.349, rtol=0.05, atol=0)
    assert (after["numbers"][:, 2] == 0).all()
    assert (after["numbers"][::2, 0] == 0).all()
    assert torch.equal(after["categories"], x["categories"])


def test_spread_is_at_most_a_standard_deviation() -> None:
    spec = InputSpec(
        kind="table", task="classification", n_outputs=2, n_numbers=2, bins=(NORMAL, (-9.0, -5.0, 5.0, 9.0))
    )
    torch.testing.assert_close(spreads(spec), torch.ones(2))
    assert spreads(InputSpec(kind="table", task="classification", n_outputs=2, n_numbers=2)).tolist() == [1, 1]

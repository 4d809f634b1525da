"""The GAN: gradients flow through the augmentations, the critic is smooth, and both sides learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rarebird.core.compute import Compute
from rarebird.data.dataset import Dataset
from rarebird.methods.synthesis import _gan_grids as grids
from rarebird.methods.synthesis._grid_coders import Critic, Decoder
from rarebird.methods.synthesis._grids import grid_rows
from rarebird.methods.synthesis.gan import Gan
from tests.methods.synthesis.made_grids import pictures, series

KINDS = [pytest.param(pictures((6, 6), (28, 28), 3), id="image"), pytest.param(series((6, 6), 40), id="series")]
every_kind = pytest.mark.parametrize("train", KINDS)


@every_kind
def test_gradients_flow_through_what_the_critic_sees(train: Dataset) -> None:
    rows = grid_rows(train)
    cells = rows.cells(np.arange(12)).requires_grad_()
    seen = grids.seen_by_critic(rows.shape, "cpu")(cells, torch.Generator().manual_seed(0))
    assert seen.shape == cells.shape
    assert not torch.allclose(seen, cells)
    seen.square().sum().backward()
    assert cells.grad is not None
    touched = (cells.grad != 0).flatten(1).any(dim=1)
    assert touched.all(), "each row gets a gradient"


@every_kind
def test_the_critic_sees_each_row_in_a_way_of_its_own(train: Dataset) -> None:
    rows = grid_rows(train)
    same = rows.cells(np.zeros(6, dtype=np.int64))
    seen = grids.seen_by_critic(rows.shape, "cpu")(same, torch.Generator().manual_seed(0))
    assert not torch.allclose(seen[0], seen[1])


@every_kind
def test_every_weight_of_the_critic_has_a_spectral_norm_of_1(train: Dataset) -> None:
    rows = grid_rows(train)
    torch.manual_seed(0)
    critic = Critic(rows.shape, 2, 8).train()
    for _ in range(30):
        critic(rows.cells(np.arange(12)), torch.from_numpy(rows.codes))
    critic.eval()
    weights = [module.weight for module in critic.modules() if hasattr(module, "parametrizations")]
    assert len(weights) > 6
    for weight in weights:
        assert float(torch.linalg.matrix_norm(weight.detach().flatten(1), ord=2)) == pytest.approx(1, abs=0.1)


def test_the_hinge_loss_is_0_where_the_critic_is_right_by_1() -> None:
    right, wrong = torch.tensor([1.0, 3.0]), torch.tensor([-1.0, -2.0])
    assert grids.hinge_loss(right, wrong) == 0
    assert grids.hinge_loss(torch.zeros(2), torch.zeros(2)) == 2


@every_kind
def test_a_row_depends_on_code_and_class_alone(train: Dataset) -> None:
    rows = grid_rows(train)
    torch.manual_seed(0)
    decoder = Decoder(rows.shape, 2, 8, 6).eval()
    for parameter in decoder.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    code, classes = torch.randn(4, 6), torch.tensor([0, 1, 0, 1])
    with torch.no_grad():
        whole = decoder(code, classes)
        assert whole.shape == (4, rows.shape.channels, *rows.shape.sides)
        torch.testing.assert_close(decoder(code[2:3], classes[2:3]), whole[2:3], rtol=1e-3, atol=1e-3)
        assert not torch.allclose(decoder(code, 1 - classes), whole, atol=1e-3)
        assert not torch.allclose(decoder(-code, classes), whole, atol=1e-3)
    if train.kind == "image":
        assert whole.abs().max() <= 1


def test_classes_are_learned_and_the_rarer_one_as_well() -> None:
    train = pictures((60, 12))
    settings = Gan(steps=150, batch_size=16, width=8, code=8, learning_rate=2e-3)
    sampler = grids.fit(settings, train, Compute(), np.random.default_rng(0))
    real = [train.raw()[train.codes == code].mean() for code in range(2)]
    made = [sampler.rows(code, 24, np.random.default_rng(1)).array.mean() for code in range(2)]  # type: ignore[union-attr]
    assert made == pytest.approx(real, abs=40), "the classes are 150 apart"

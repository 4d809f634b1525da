"""AdamW and SGD against torch's own, which parameters decay, and the cosine's corners."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from rarebird.training.optimizer.adamw import Adamw
from rarebird.training.optimizer.parameter_groups import parameter_groups
from rarebird.training.optimizer.sgd import Sgd
from rarebird.training.schedule.constant import Constant
from rarebird.training.schedule.cosine import Cosine, cosine


class Odd(nn.Module):
    """A batched layer whose bias has two dimensions, a norm over two axes, an embedding, and a scalar."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, 4, 5))
        self.bias = nn.Parameter(torch.ones(3, 5))
        self.norm = nn.LayerNorm((2, 3))
        self.embedding = nn.Embedding(7, 2)
        self.scale = nn.Parameter(torch.ones(()))
        self.recurrent = nn.LSTM(2, 3)


def test_only_matrices_and_kernels_decay() -> None:
    net = Odd()
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    decayed, spared = ({names[id(p)] for p in group["params"]} for group in parameter_groups(net, 0.1))
    assert decayed == {"weight", "embedding.weight", "recurrent.weight_ih_l0", "recurrent.weight_hh_l0"}
    assert decayed | spared == set(names.values())
    assert [group["weight_decay"] for group in parameter_groups(net, 0.1)] == [0.1, 0.0]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Adamw(weight_decay=0), lambda p: torch.optim.AdamW(p, lr=1e-3, weight_decay=0, fused=False, foreach=False)),
        (Sgd(weight_decay=0), lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, fused=False, foreach=False)),
        (Sgd(weight_decay=0, momentum=0), lambda p: torch.optim.SGD(p, lr=0.05, fused=False, foreach=False)),
    ],
    ids=["adamw", "sgd", "plain_sgd"],
)
def test_fused_steps_equal_torchs_plain_ones(ours, theirs) -> None:  # type: ignore[no-untyped-def]
    first, second = nn.Linear(4, 3), nn.Linear(4, 3)
    second.load_state_dict(first.state_dict())
    for net, optimizer in ((first, ours.build(first)), (second, theirs(second.parameters()))):
        generator = torch.Generator().manual_seed(0)
        for _ in range(5):
            optimizer.zero_grad()
            net(torch.randn(8, 4, generator=generator)).square().sum().backward()
            optimizer.step()
    torch.testing.assert_close(dict(first.state_dict()), dict(second.state_dict()), rtol=1e-5, atol=1e-6)


def test_cosine_warms_up_and_comes_to_rest() -> None:
    schedule = Cosine(warm_up=0.2, final_factor=0.1)
    assert schedule(0) == pytest.approx(0.01)
    assert schedule(0.1) == pytest.approx(0.505)
    assert schedule(0.2) == pytest.approx(1)
    assert schedule(0.6) == pytest.approx(0.55)
    assert schedule(1) == pytest.approx(0.1)


def test_cosine_without_warm_up_is_half_a_cosine() -> None:
    for progress in (0.0, 0.3, 0.5, 1.0):
        assert cosine(progress, 0.0, 0.0) == pytest.approx((1 + math.cos(math.pi * progress)) / 2)


def test_cosine_never_rises_after_the_warm_up() -> None:
    factors = [cosine(0.05 + 0.95 * step / 500, 0.05, 0.0) for step in range(501)]
    assert factors == sorted(factors, reverse=True)


def test_constant_is_one() -> None:
    assert [Constant()(progress) for progress in (0.0, 0.5, 1.0)] == [1.0, 1.0, 1.0]

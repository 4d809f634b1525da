"""Adam, AdamW, RAdam and SGD against torch's own, and which parameters decay."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rarebird.methods.optimizer._parameter_groups import parameter_groups
from rarebird.methods.optimizer.adam import Adam
from rarebird.methods.optimizer.adamw import Adamw
from rarebird.methods.optimizer.radam import Radam
from rarebird.methods.optimizer.sgd import Sgd


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
        (
            Sgd(weight_decay=0),
            lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, fused=False, foreach=False),
        ),
        (Adam(weight_decay=0), lambda p: torch.optim.Adam(p, lr=1e-3, fused=False, foreach=False)),
        (Radam(weight_decay=0), lambda p: torch.optim.RAdam(p, lr=1e-3, betas=(0.9, 0.99), foreach=False)),
        (
            Sgd(weight_decay=0, nesterov=False),
            lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=False, fused=False, foreach=False),
        ),
        (Sgd(weight_decay=0, momentum=0), lambda p: torch.optim.SGD(p, lr=0.05, fused=False, foreach=False)),
    ],
    ids=["adamw", "sgd", "adam", "radam", "heavy_ball", "plain_sgd"],
)
def test_fused_steps_equal_torchs_plain_ones(ours, theirs) -> None:  # type: ignore[no-untyped-def]
    first, second = nn.Linear(4, 3), nn.Linear(4, 3)
    second.load_state_dict(first.state_dict())
    for net, optimizer in ((first, ours.build(first)), (second, theirs(second.parameters()))):
        generator = torch.Generator().manual_seed(0)
        for _ in range(10):
            optimizer.zero_grad()
            net(torch.randn(8, 4, generator=generator)).square().sum().backward()
            optimizer.step()
    torch.testing.assert_close(dict(first.state_dict()), dict(second.state_dict()), rtol=1e-5, atol=1e-6)

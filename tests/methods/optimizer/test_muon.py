"""Muon: which layers are hidden, orthogonal steps of AdamW's size, and kernels in any memory layout."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rarebird.data.spec import InputSpec
from rarebird.methods.network.mlp import Mlp
from rarebird.methods.network.resnet import Resnet
from rarebird.methods.network.rnn import Rnn
from rarebird.methods.network.transformer import Transformer
from rarebird.methods.optimizer.muon import Muon, as_matrix, hidden_weights

IMAGE = InputSpec(
    kind="image", task="classification", n_outputs=3, channels=1, height=12, width=12, mean=(0.5,), std=(0.2,)
)
TABLE = InputSpec(
    kind="table",
    task="classification",
    n_outputs=3,
    n_numbers=2,
    bins=((0.0, 1.0), (0.0, 1.0, 2.0)),
    cardinalities=(4,),
)
SERIES = InputSpec(kind="series", task="classification", n_outputs=3, channels=2, length=20)


def names_of(network: nn.Module) -> list[str]:
    hidden = {id(weight) for weight in hidden_weights(network)}
    return [name for name, parameter in network.named_parameters() if id(parameter) in hidden]


def test_hidden_layers_are_those_between_the_first_layer_and_the_head() -> None:
    assert names_of(Mlp(width=8, depth=2).build(TABLE)) == ["hidden.0.weight", "hidden.3.weight"]
    assert names_of(Mlp(width=8, depth=2).build(SERIES)) == ["hidden.3.weight"]
    resnet = names_of(Resnet(width=4).build(IMAGE))
    assert "stem.0.weight" not in resnet
    assert "head.weight" not in resnet
    assert "blocks.0.branch.0.weight" in resnet
    assert len(names_of(Transformer(depth=2, heads=1).build(IMAGE))) == 2 * 4 + 1  # and the attention pooling's score
    assert names_of(Rnn(width=4).build(SERIES)) == ["pool.score.weight"]


def stepped(net: nn.Module, gradient: torch.Tensor, **settings: float) -> torch.Tensor:
    """How a step moves the middle layer's weights."""
    built = Muon(learning_rate=0.01, **settings).build(net)
    before = net[1].weight.detach().clone()  # type: ignore[index,operator,union-attr]
    net[1].weight.grad = gradient  # type: ignore[index,union-attr]
    built.step()
    return net[1].weight.detach() - before  # type: ignore[index,operator,union-attr]


def test_a_step_is_orthogonal_and_as_large_as_adamws() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 32), nn.Linear(32, 32), nn.Linear(32, 2))
    moved = stepped(net, torch.randn(32, 32), weight_decay=0.0)
    # Five rounds bring singular values near 1 and not to it.
    values = torch.linalg.svdvals(moved) / (0.01 * 0.2 * 32**0.5)
    assert float(values[:-2].min()) > 0.5
    assert float(values.max()) < 1.3
    assert float(moved.square().mean().sqrt()) == pytest.approx(0.01 * 0.2, rel=0.2)


def test_equals_torchs_muon_on_a_matrix() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 8), nn.Linear(8, 6), nn.Linear(6, 2))
    theirs = nn.Parameter(net[1].weight.detach().clone())
    torch_muon = torch.optim.Muon([theirs], lr=0.01, weight_decay=0.2, momentum=0.95, adjust_lr_fn="match_rms_adamw")
    built = Muon(learning_rate=0.01, weight_decay=0.2).build(net)
    for _ in range(3):
        theirs.grad = torch.randn(6, 8)
        net[1].weight.grad = theirs.grad.clone()
        built.step()
        torch_muon.step()
    torch.testing.assert_close(net[1].weight.detach(), theirs.detach())


@pytest.mark.parametrize("gradient_layout", [torch.contiguous_format, torch.channels_last])
def test_the_memory_layout_of_kernels_changes_nothing(gradient_layout: torch.memory_format) -> None:
    gradient = torch.randn(8, 4, 3, 3).contiguous(memory_format=gradient_layout)
    moved = []
    for layout in (torch.contiguous_format, torch.channels_last):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 8, 3), nn.Conv2d(8, 2, 1)).to(memory_format=layout)
        moved.append(stepped(net, gradient))
        assert moved[-1].count_nonzero() == moved[-1].numel()
    # The rounds run in bfloat16, whose sums depend on the order of columns a little.
    torch.testing.assert_close(moved[0], moved[1].contiguous(), rtol=0.05, atol=2e-4)


def test_a_matrix_is_a_view_of_its_kernel() -> None:
    kernel = torch.randn(5, 3, 2, 2).contiguous(memory_format=torch.channels_last)
    as_matrix(kernel, like=kernel).zero_()
    assert kernel.count_nonzero() == 0


def test_the_rest_is_adamws() -> None:
    torch.manual_seed(0)
    ours, theirs = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)), nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    theirs.load_state_dict(ours.state_dict())
    for net, built in (
        (ours, Muon(weight_decay=0.0).build(ours)),
        (theirs, torch.optim.AdamW(theirs.parameters(), lr=1e-3, weight_decay=0.0)),
    ):
        for step in range(5):
            built.zero_grad()
            net(torch.randn(6, 3, generator=torch.Generator().manual_seed(step))).square().sum().backward()
            built.step()
    torch.testing.assert_close(dict(ours.state_dict()), dict(theirs.state_dict()))

"""TabM: what members share and what sets them apart, against the paper's formulas written out."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rarebird.data.spec import InputSpec
from rarebird.methods.network.mlp import Mlp
from rarebird.methods.network.tabm import MemberHead, MemberLinear, Tabm

EDGES = (-2.0, -1.0, 0.0, 1.0, 2.0)
SPEC = InputSpec(kind="table", task="classification", n_outputs=3, n_numbers=2, bins=(EDGES, EDGES), cardinalities=(4,))


def rows(n: int = 6) -> dict[str, torch.Tensor]:
    source = torch.Generator().manual_seed(1)
    return {
        "numbers": torch.randn(n, 2, generator=source),
        "missing": torch.zeros(n, 2),
        "categories": torch.randint(0, 4, (n, 1), generator=source),
    }


@torch.no_grad()
def test_a_layer_is_the_batch_ensemble_of_the_paper() -> None:
    layer = MemberLinear(members=4, inner=5, outer=3, adapts_input=True)
    assert layer.inputs is not None
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    x = torch.randn(7, 4, 5)
    for member in range(4):
        # Wen et al.: W_k = W * (s_k r_k^T), one full matrix per member.
        weight = layer.shared.weight * torch.outer(layer.outputs[member], layer.inputs[member])
        torch.testing.assert_close(layer(x)[:, member], x[:, member] @ weight.T + layer.bias[member])


@torch.no_grad()
def test_the_head_of_the_mean_is_the_mean_of_the_heads() -> None:
    head = MemberHead(members=4, width=5, n_outputs=3)
    own = torch.randn(7, 4, 5)
    each = head.each(own.flatten(1) / 4)
    for member in range(4):
        torch.testing.assert_close(
            each[:, member], own[:, member] @ head.weight[:, 5 * member : 5 * member + 5].T + head.bias
        )
    torch.testing.assert_close(each.mean(1), head(own.flatten(1) / 4))
    assert 0.9 * 5**-0.5 < head.weight.abs().max() <= 5**-0.5


@pytest.mark.parametrize("adapters", ["all", "first"])
def test_one_member_without_signs_is_the_perceptron(adapters: str) -> None:
    torch.manual_seed(0)
    one = Tabm(members=1, depth=2, width=16, embedding=8, adapters=adapters).build(SPEC).eval()  # type: ignore[arg-type]
    plain = Mlp(depth=2, width=16, embedding=8).build(SPEC).eval()
    plain.flat.load_state_dict(one.flat.state_dict())
    linears = [layer for layer in plain.hidden if isinstance(layer, nn.Linear)]
    with torch.no_grad():
        for mine, its in zip(linears, one.layers, strict=True):
            mine.weight.copy_(its.shared.weight if adapters == "all" else its.weight)
            mine.bias.copy_(its.bias[0] if adapters == "all" else its.bias)
        linears[0].weight.mul_(one.signs[0])
    plain.head.load_state_dict(one.head.state_dict())
    torch.testing.assert_close(one(rows()), plain(rows()))


def test_members_start_apart_by_signs_and_share_the_rest() -> None:
    network = Tabm(members=32, width=8, depth=2).build(SPEC)
    assert set(network.signs.unique().tolist()) == {-1.0, 1.0}
    assert len(network.signs.unique(dim=0)) == 32
    assert network.layers[0].inputs is None
    assert bool((network.layers[1].inputs == 1).all())


def test_members_cost_few_weights() -> None:
    def weights(members: int) -> int:
        return sum(parameter.numel() for parameter in Tabm(members=members).build(SPEC).parameters())

    plain = sum(parameter.numel() for parameter in Mlp().build(SPEC).parameters())
    assert weights(16) < 1.4 * plain
    # Per member: signs, biases and adapters of three layers, and a head.
    flat = Tabm().build(SPEC).flat.width
    assert weights(2) - weights(1) == flat + 3 * 2 * 256 + 2 * 256 + 3 * 256


def test_a_new_head_starts_on_the_scale_of_one_member() -> None:
    network = Tabm(members=16).build(SPEC).train()
    nn.init.zeros_(network.head.weight)
    network.head.reset_parameters()
    out = network(rows(64))
    assert 0.02 < out.std() < 2

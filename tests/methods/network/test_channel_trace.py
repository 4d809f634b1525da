"""Which channels belong together is read from a forward pass; `tests/contracts/test_channels.py` removes them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from rarebird.methods.network._channel_trace import traced_groups
from rarebird.methods.network._channels import Place
from rarebird.slots.protocols import Inputs


class Watched(nn.Module):
    """Layers by name, and a pass over them."""

    def __init__(self, **layers: nn.Module) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Inputs) -> Tensor:
        raise NotImplementedError


def found(network: nn.Module) -> dict[str, set[Place]]:
    return {one.name: set(one.places) for one in traced_groups(network, {"x": torch.empty(2, 3, 8, 8)})}


def conv(inner: int, outer: int, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inner, outer, 3, padding=1, groups=groups, bias=False)


def test_a_sum_and_a_gate_tie_channels_and_a_concatenation_puts_them_one_after_another() -> None:
    class Net(Watched):
        def forward(self, x: Inputs) -> Tensor:
            first = functional.relu(self.norm(self.a(x["x"])))
            gate = self.gate(first.mean((2, 3), keepdim=True)).sigmoid()
            stream = first + self.deep(first) * gate
            both = torch.cat([stream.mean((2, 3)), stream.amax((2, 3)), self.c(stream).flatten(2).amax(2)], dim=1)
            return self.head(both)  # type: ignore[no-any-return]

    deep, gate = conv(4, 4, groups=4), nn.Conv2d(4, 4, 1)
    groups = found(Net(a=conv(3, 4), norm=nn.BatchNorm2d(4), deep=deep, gate=gate, c=conv(4, 6), head=nn.Linear(14, 2)))
    assert set(groups) == {"a", "c"}
    assert {place.tensor for place in groups["a"]} == {
        *("a.weight", "a.bias", "norm.weight", "norm.bias", "norm.running_mean", "norm.running_var"),
        *("deep.weight", "deep.bias", "gate.weight", "gate.bias", "c.weight", "head.weight"),
    }
    assert {Place("gate.weight", 0), Place("gate.weight", 1), Place("head.weight", 1)} <= groups["a"]
    assert Place("head.weight", 1, start=4) in groups["a"], "the maxima follow the means"
    assert Place("head.weight", 1, start=8) in groups["c"]


def test_one_filter_for_each_channel_keeps_two_of_them() -> None:
    class Net(Watched):
        def forward(self, x: Inputs) -> Tensor:
            return self.head(self.deep(self.a(x["x"])).mean((2, 3)))  # type: ignore[no-any-return]

    (group,) = traced_groups(
        Net(a=conv(3, 4), deep=conv(4, 4, groups=4), head=nn.Linear(4, 2)), {"x": torch.empty(1, 3, 8, 8)}
    )
    # Of one channel alone, a convolution of one filter for each channel cannot be told from a plain one.
    assert group.fewest == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda x: functional.layer_norm(x, x.shape[1:]),
        lambda x: x.view(len(x), 2, 2, 64).transpose(1, 2).reshape(x.shape),
        lambda x: x.softmax(dim=1),
        lambda x: x - x.mean(dim=1, keepdim=True),
        lambda x: torch.cat(x.chunk(2, dim=1), dim=1),
        lambda x: x + torch.arange(4.0, device=x.device).view(4, 1, 1),
        lambda x: x + x.permute(0, 2, 1, 3)[:, :, :4].repeat(1, 1, 2, 1)[:, :4],
    ],
)
def test_what_a_call_does_to_single_channels_is_never_guessed(change) -> None:  # type: ignore[no-untyped-def]
    class Net(Watched):
        def forward(self, x: Inputs) -> Tensor:
            return self.head(self.b(change(self.a(x["x"]))).mean((2, 3)))  # type: ignore[no-any-return]

    assert set(found(Net(a=conv(3, 4), b=conv(4, 5), head=nn.Linear(5, 2)))) == {"b"}


def test_a_layer_that_is_used_twice_and_channels_in_groups_stay() -> None:
    class Net(Watched):
        def forward(self, x: Inputs) -> Tensor:
            twice = self.b(self.b(self.a(x["x"])))
            return self.head(self.d(self.grouped(self.c(twice))).mean((2, 3)))  # type: ignore[no-any-return]

    layers = {"a": conv(3, 4), "b": conv(4, 4), "c": conv(4, 8), "grouped": conv(8, 8, groups=2), "d": conv(8, 6)}
    assert set(found(Net(**layers, head=nn.Linear(6, 2)))) == {"d"}


def test_the_network_is_left_as_it_is() -> None:
    network = Watched(a=conv(3, 4))
    network.forward = lambda x: network.a(x["x"])  # type: ignore[method-assign]
    network.train().a.requires_grad_(False)
    assert found(network) == {}, "what comes out stays"
    assert network.training
    assert not network.a.weight.requires_grad  # type: ignore[union-attr]
    assert network.a.weight.device.type == "cpu"  # type: ignore[union-attr]

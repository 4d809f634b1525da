"""Every network that says which of its channels can be removed: removing channels that do nothing changes nothing, and
the sizes that remain are enough to build it again."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import nn

from rarebird.methods.network._channels import Narrowable, narrow, narrow_to
from rarebird.slots import methods
from rarebird.slots.methods import Method
from rarebird.slots.stored_modules import channel_widths
from tests.contracts.test_networks import CASES, ORDINARY, inputs

NARROWABLE = ("mlp", "cnn", "resnet", "transformer", "rnn", "backbone")
each_case = pytest.mark.parametrize(("method", "kind"), [case for case in CASES if case.id.split("-")[0] in NARROWABLE])  # type: ignore[union-attr]


def trained_like(method: Method, kind: str) -> nn.Module:
    """A network whose normalizations are not those of a new one."""
    torch.manual_seed(0)
    network: nn.Module = method.build(ORDINARY[kind]).eval()  # type: ignore[attr-defined]
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            if module.weight is not None:  # type: ignore[redundant-expr]
                nn.init.uniform_(module.weight, 0.5, 1.5)
            module.running_mean.uniform_(-0.1, 0.1)  # type: ignore[union-attr]
    return network


def half_dead(network: nn.Module) -> dict[str, torch.Tensor]:
    """Make half of the channels of each group do nothing; the positions of the others."""
    kept = {}
    for group in network.channel_groups():  # type: ignore[operator]
        order = torch.randperm(group.channels)
        kept[group.name], dead = order[: -(-group.channels // 2)], order[-(-group.channels // 2) :]
        for place in group.places:
            path, _, name = place.tensor.rpartition(".")
            tensor = getattr(network.get_submodule(path), name, None)
            if tensor is not None and name != "running_var":
                tensor.data.index_fill_(place.dim, place.entries(dead, group.channels), 0.0)
    return kept


@each_case
def test_channels_that_do_nothing_can_be_removed(method: Method, kind: str) -> None:
    network = trained_like(method, kind)
    assert isinstance(network, Narrowable)
    kept = half_dead(network)
    smaller, x = deepcopy(network), inputs(ORDINARY[kind])
    narrow(smaller, kept)
    with torch.no_grad():
        torch.testing.assert_close(smaller(x), network(x), atol=1e-5, rtol=1e-5)
        again = method.build(ORDINARY[kind]).eval()  # type: ignore[attr-defined]
        narrow_to(again, channel_widths(smaller) or {})
        again.load_state_dict(smaller.state_dict())
        torch.testing.assert_close(again(x), smaller(x), atol=0, rtol=0)
    with torch.device("meta"):  # as a model's file is checked before it takes memory
        narrow_to(light := method.build(ORDINARY[kind]), channel_widths(smaller) or {})  # type: ignore[attr-defined]
    assert {name: one.shape for name, one in light.state_dict().items()} == {
        name: one.shape for name, one in smaller.state_dict().items()
    }
    assert sum(one.numel() for one in smaller.parameters()) < sum(one.numel() for one in network.parameters())
    assert {group.name: group.channels for group in smaller.channel_groups()} == channel_widths(smaller)  # type: ignore[operator]
    assert all(len(kept[group.name]) == group.channels for group in smaller.channel_groups())  # type: ignore[operator]


@each_case
def test_a_narrowed_network_can_be_trained_and_narrowed_again(method: Method, kind: str) -> None:
    network = trained_like(method, kind)
    for _ in range(2):
        sizes = {group.name: group.channels for group in network.channel_groups()}  # type: ignore[operator]
        narrow(network, {name: torch.arange(max(1, size // 2)) for name, size in sizes.items()})
        network.train()(inputs(ORDINARY[kind])).sum().backward()
        assert all(one.grad is None or one.grad.shape == one.shape for one in network.parameters())


def test_a_width_that_does_not_fit_is_refused() -> None:
    network = methods.build("network", {"name": "mlp", "width": 8}).build(ORDINARY["table"])  # type: ignore[attr-defined]
    for widths in ({"layer 1": 9}, {"layer 1": 0}, {"no such": 1}):
        with pytest.raises(ValueError, match="must hold"):
            narrow_to(network, widths)

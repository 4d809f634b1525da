"""Channels of timm bodies; `tests/contracts/test_channels.py` removes them."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import nn

from rarebird.core.checks import UnavailableError
from rarebird.data.spec import InputSpec
from rarebird.methods.network.backbone import Backbone, BackboneNetwork

SPEC = InputSpec(kind="image", task="classification", n_outputs=3, channels=3, height=32, width=32)


def built() -> BackboneNetwork:
    network = Backbone(model="test_resnet", size=32).build(SPEC)
    assert isinstance(network, BackboneNetwork)
    return network


def test_looking_for_channels_leaves_the_network_as_it_is() -> None:
    network = built()
    network.body.eval()
    network.head.requires_grad_(False)
    before = {name: one.clone() for name, one in network.state_dict().items()}
    groups = network.channel_groups()
    assert len(groups) > 1
    inner = {name for name, one in network.named_modules() if isinstance(one, nn.Conv2d)}
    assert {group.name for group in groups} < inner, "what reaches the features stays"
    assert network.training
    assert not network.body.training
    assert [name for name, one in network.named_parameters() if not one.requires_grad] == ["head.weight", "head.bias"]
    assert all(torch.equal(before[name], one) for name, one in network.state_dict().items())


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch_pruning", None)
    with pytest.raises(UnavailableError, match=r"rarebird\[compress\]"):
        built().channel_groups()

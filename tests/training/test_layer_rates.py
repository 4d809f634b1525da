"""Rates that fall towards the input: by timm's own layers, or by modules; the head keeps the optimizer's rate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from rarebird.methods.network.backbone import Backbone
from rarebird.methods.network.resnet import Resnet
from rarebird.methods.optimizer.adamw import Adamw
from rarebird.methods.optimizer.muon import Muon
from rarebird.training.layer_rates import depths, with_decay
from rarebird.training.network_trainer import NetworkTrainer
from tests.methods.network.test_backbone import pictures, recipe, spec


def rates(network: Any, optimizer: torch.optim.Optimizer) -> dict[str, float]:
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    return {
        names[id(parameter)]: group.get("rate_factor", 1.0)
        for group in optimizer.param_groups
        for parameter in group["params"]
    }


@pytest.mark.parametrize(
    "method", [Backbone(model="test_vit", size=32), Backbone(model="test_resnet", size=32), Resnet()]
)
def test_rates_fall_by_one_factor_from_layer_to_layer(method: Any) -> None:
    network = method.build(spec())
    optimizer = Adamw().build(network)
    before = [(len(group["params"]), group["weight_decay"]) for group in optimizer.param_groups]
    with_decay(optimizer, network, 0.5)
    found, depth = rates(network, optimizer), depths(network)
    assert found["head.weight"] == found["head.bias"] == 1.0
    deepest = max(depth.values())
    assert deepest >= 5
    assert min(found.values()) == 0.5**deepest
    for name, parameter in network.named_parameters():
        assert found[name] == 0.5 ** depth[id(parameter)]
    # Weights still decay, vectors still do not.
    assert sum(n for n, decay in before if decay) == sum(
        len(group["params"]) for group in optimizer.param_groups if group["weight_decay"]
    )


def test_the_first_convolution_is_the_deepest_and_the_last_block_next_to_the_head() -> None:
    network = Backbone(model="test_vit", size=32).build(spec())
    depth = {name: depths(network)[id(parameter)] for name, parameter in network.named_parameters()}
    assert depth["body.patch_embed.proj.weight"] == max(depth.values())
    assert depth["body.blocks.0.mlp.fc1.weight"] > depth["body.blocks.5.mlp.fc1.weight"] > 0


def test_an_optimizer_with_rates_of_its_own_keeps_their_ratio() -> None:
    network = Resnet().build(spec())
    optimizer = Muon().build(network)
    before = rates(network, optimizer)
    with_decay(optimizer, network, 0.5)
    depth = {name: depths(network)[id(parameter)] for name, parameter in network.named_parameters()}
    for name, rate in rates(network, optimizer).items():
        assert rate == pytest.approx(before[name] * 0.5 ** depth[name])


def test_a_decay_of_one_changes_nothing() -> None:
    network = Resnet().build(spec())
    optimizer = Adamw().build(network)
    groups = [dict(group) for group in optimizer.param_groups]
    with_decay(optimizer, network, 1.0)
    assert [dict(group) for group in optimizer.param_groups] == groups


@pytest.mark.parametrize("plan", ["layer_decay", "gradual_unfreezing"])
def test_a_plan_moves_the_first_layers_least_and_keeps_batch_statistics(plan: str) -> None:
    train = pictures()
    planned = recipe(stages=plan, steps=20, optimizer={"name": "sgd", "learning_rate": 1e-3, "weight_decay": 0.0})
    trainer = NetworkTrainer(planned, train, train.take(np.arange(0)), 0, "cpu")
    training = trainer.training(trainer._placements()[0])
    buffers = {name: one.clone() for name, one in training.network.body.named_buffers()}
    groups: list[list[float]] = []
    built = training._build_optimizer
    training._build_optimizer = lambda stage: _noted(built(stage), groups)  # type: ignore[method-assign]
    from rarebird.training.step_plan import StepPlan

    training.run(StepPlan(20))
    assert groups[0] == [1.0]
    assert min(groups[-1]) < 0.5 < max(groups[-1]) == 1.0
    assert buffers
    for name, one in training.network.body.named_buffers():
        assert torch.equal(one, buffers[name]), f"{name}: the statistics of pretrained weights are kept"


def _noted(optimizer: torch.optim.Optimizer, groups: list[list[float]]) -> torch.optim.Optimizer:
    groups.append(sorted({group.get("rate_factor", 1.0) for group in optimizer.param_groups}))
    return optimizer

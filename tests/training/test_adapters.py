"""Low-rank adapters: frozen weights change by a product of their rank alone, and all else by nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from rarebird.core.checks import DataError
from rarebird.data.dataset import Splits
from rarebird.experiment.run import run
from rarebird.model.model import load
from rarebird.recipe.recipe import Recipe
from rarebird.training import adapters
from rarebird.training.network_trainer import NetworkTrainer
from rarebird.training.trainer import TrainingPlan
from tests.contracts.test_external import pictures
from tests.test_no_leak import rows

TRANSFORMER = {"name": "transformer", "depth": 1, "heads": 2, "dropout": 0.0}
STAGES = [{"share": 0.3, "trainable": "head"}, {"share": 0.7, "trainable": "adapters", "rank": 3}]


def recipe(**changes: Any) -> Recipe:
    given = {"kind": "table", "network": TRANSFORMER, "stages": STAGES, "steps": 12, "batch_size": 16, "threads": 1}
    return Recipe(**(given | {"folds": 0, "holdout": 0.3, "precision": "float32"} | changes))


@pytest.mark.parametrize("regularization", [[], ["ema"]])
def test_linear_layers_change_by_a_product_of_the_rank_and_all_else_by_nothing(regularization: list[str]) -> None:
    train = rows(60)
    plain = recipe(regularization=regularization)
    trainer = NetworkTrainer(plain, train, train.take(np.arange(0)), 0, "cpu")
    before = {name: part.clone() for name, part in trainer._initial.build().state_dict().items()}
    after = trainer.run(TrainingPlan(trainer.plan(None, 1)), lambda progress: False).network.state_dict()
    assert set(before) == set(after), "the trained network is one like any other"
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    of_body = {name for name in changed if not name.startswith("head.")}
    assert of_body
    assert {"head.weight", "head.bias"} <= changed
    for name in of_body:
        assert name.endswith("weight")
        assert torch.linalg.matrix_rank(after[name] - before[name], atol=1e-5) <= 3, name


def test_an_adapter_changes_nothing_at_first_and_merging_keeps_the_outputs() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(9, 9), nn.ReLU())
    network.head = nn.Linear(9, 2)
    x = torch.rand(5, 9)
    before = network(x)
    adapters.add(network, 2)
    assert torch.equal(network(x), before)
    assert len(adapters.parameters(network)) == 2
    with torch.no_grad():
        for parameter in adapters.parameters(network):
            parameter.add_(0.1)
    learned = network(x)
    assert not torch.allclose(learned, before)
    adapters.merge(network)
    assert torch.equal(network(x), learned)
    assert not adapters.parameters(network)


def test_a_run_is_saved_loaded_and_repeated(tmp_path: Any) -> None:
    train = rows(60)
    one, two = (run(recipe(), Splits(train), test_share=0.2) for _ in range(2))
    np.testing.assert_array_equal(one.model.outputs(train), two.model.outputs(train))
    one.model.save(tmp_path / "model")
    np.testing.assert_array_equal(load(tmp_path / "model").outputs(train), one.model.outputs(train))


def test_a_backbone_of_timm_learns_by_adapters_and_one_without_linear_layers_is_refused() -> None:
    train = pictures(24)
    given = {"kind": "image", "steps": 2, "stages": "adapters", "batch_size": 8}
    network = {"name": "backbone", "model": "test_vit", "size": 32}
    assert np.isfinite(run(recipe(**given, network=network), Splits(train), test_share=0.3).model.outputs(train)).all()
    with pytest.raises(DataError, match="trainable=adapters needs a network with linear layers in its body"):
        run(recipe(**given, network="resnet"), Splits(train), test_share=0.3)

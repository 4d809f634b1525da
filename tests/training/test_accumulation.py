"""Batches in parts and blocks that are computed twice: the same step as that of the whole batch, in less memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rarebird.core.checks import DataError
from rarebird.recipe.recipe import Recipe
from rarebird.training.device import Placement
from rarebird.training.loop import Training
from rarebird.training.network_trainer import NetworkTrainer
from rarebird.training.recomputation import blocks, recomputed
from rarebird.training.step_plan import StepPlan
from tests.training import made_rows
from tests.training.rank_cases import rows_of

PICTURES = ["horizontal_flip", "rotate", "brightness", "mixup"]


def trained(kind: str, steps: int = 3, **settings: Any) -> Training:
    """A training of few steps, done."""
    plain: dict[str, Any] = {"kind": kind, "steps": steps, "batch_size": 35, "threads": 1, "precision": "float32"}
    rows = rows_of(kind)
    rows = replace(rows, weight=np.linspace(0.5, 2.0, len(rows))) if kind == "image" else rows
    trainer = NetworkTrainer(Recipe(**(plain | settings)), rows, rows.take(np.arange(0)), 0, "cpu")
    training = trainer.training(Placement(threads=1))
    training.run(StepPlan(steps))
    return training


def state(training: Training) -> dict[str, Tensor]:
    return {name: value.double() for name, value in training.network.state_dict().items()}


@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "table", "network": {"name": "mlp", "width": 16, "dropout": 0.0}, "batch_sampling": "by_loss"},
        # Partners of the whole batch, and weights of rows; no batch normalization, which takes each part's statistics.
        {"kind": "image", "network": {"name": "cnn", "width": 4, "norm": "none", "dropout": 0.0}},
    ],
    ids=["table", "image"],
)
def test_parts_add_up_to_the_batch(settings: dict[str, Any]) -> None:
    augmentation = PICTURES if settings["kind"] == "image" else ["cell_swap"]
    common = {**settings, "augmentation": augmentation, "optimizer": "sgd", "regularization": ["gradient_clipping"]}
    whole = trained(**common)
    for parts in (2, 5):
        divided = trained(**common, accumulation=parts)
        assert divided.parts == parts
        torch.testing.assert_close(state(divided), state(whole), atol=1e-6, rtol=0)
        torch.testing.assert_close(divided.last_loss, whole.last_loss, atol=1e-5, rtol=0, equal_nan=True)


def features_kept(network: nn.Module, rows: Any, active: bool) -> int:
    """Bytes that a forward pass keeps for the backward pass."""
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), recomputed(network, active):
        network(rows)
    weights = {one.untyped_storage().data_ptr() for one in network.parameters()}
    return sum(size for place, size in kept.items() if place not in weights)


@pytest.mark.parametrize(
    ("kind", "network"),
    [
        ("image", {"name": "resnet", "width": 4, "stochastic_depth": 0.3}),
        ("table", {"name": "transformer", "depth": 3, "heads": 2, "dropout": 0.2}),
    ],
    ids=["resnet", "transformer"],
)
def test_blocks_that_are_computed_twice_give_the_same_network_in_less_memory(kind: str, network: Any) -> None:
    """Also the masks of dropout and the running statistics of batch normalization are the same."""
    plain, twice = (trained(kind, network=network, activation_checkpointing=one) for one in (False, True))
    torch.testing.assert_close(state(twice), state(plain), atol=1e-6, rtol=0)
    rows, _, _ = plain.rows.batch(np.arange(64), Placement())
    plain.network.train()
    assert features_kept(plain.network, rows, active=True) < 0.5 * features_kept(plain.network, rows, active=False)
    assert all("forward" not in vars(block) for block in blocks(plain.network))


def test_what_cannot_be_done_in_parts_is_refused() -> None:
    rows = made_rows.rows()

    def refused(**settings: Any) -> str:
        with pytest.raises(DataError) as error:
            NetworkTrainer(made_rows.recipe(**settings), rows, rows.take(np.arange(0)), 0, "cpu").training(Placement())
        return str(error.value)

    assert "fewer than 2 rows for a part of a batch, which has 64 rows" in refused(accumulation=40)
    assert refused(accumulation=2, loss="auc").startswith("auc compares all rows of a batch")
    assert refused(accumulation=2, stages="feature_smote").startswith("feature_smote compares all rows")
    assert "but mlp has none" in refused(activation_checkpointing=True)

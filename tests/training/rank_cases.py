"""What tests of several ranks train: small recipes of all kinds, the same in one process and in a rank."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset, Pixels
from rarebird.executors.ranks import Rank
from rarebird.experiment.agreement import agree
from rarebird.recipe.recipe import Recipe
from rarebird.training import checkpoint, distributed
from rarebird.training.checkpoint import Checkpoint
from rarebird.training.network_trainer import NetworkTrainer
from rarebird.training.sharding import check_sharded
from rarebird.training.shared_memory import Meeting
from rarebird.training.trainer import Trained, TrainingPlan
from tests.training import made_rows

# Odd, so that the shares of two ranks are uneven in every batch; 201 rows make batches of 33 and 34.
BATCH = 35
STEPS = 20
RESNET: dict[str, Any] = {"name": "resnet", "width": 4, "dropout": 0.0}
MLP: dict[str, Any] = {"name": "mlp", "width": 16, "depth": 2, "dropout": 0.0}
# Of methods beside the three networks.
FEWER_STEPS = 8
BALANCED = {"batch_sampling": "class_balanced", "steps": STEPS}
# A gradient that is zero but for rounding (of the keys' bias, of a constant on all scores) has a full step with Adam.
PLAIN = {"optimizer": "sgd"}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "mlp": ("table", {**BALANCED, "network": MLP}),
    "transformer": (
        "table",
        {**BALANCED, **PLAIN, "network": {"name": "transformer", "depth": 1, "heads": 2, "dropout": 0.0}},
    ),
    "resnet": ("image", {**BALANCED, "network": RESNET}),
    # Statistics of the batch, pairs of rows, and partners within the batch.
    "pictures": (
        "image",
        {
            "network": RESNET,
            "augmentation": ["horizontal_flip", "rotate", "brightness", "mixup"],
            "regularization": ["ema"],
        },
    ),
    "planned pictures": (
        "image",
        {"network": RESNET, "augmentation": ["translate", "contrast"], "regularization": ["swa"]},
    ),
    "auc": ("table", {**PLAIN, "network": MLP, "loss": "auc"}),
    "by_loss": ("table", {"network": MLP, "batch_sampling": "by_loss", "regularization": ["l2", "gradient_clipping"]}),
    "sam": ("image", {"network": RESNET, "regularization": ["sam"], **PLAIN}),
    "features": ("table", {"batch_sampling": "class_balanced", "network": MLP, "augmentation": ["feature_smote"]}),
    "watching": (
        "table",
        {"network": MLP, "schedule": "reduce_on_plateau", "regularization": ["early_stopping", "label_smoothing"]},
    ),
    "averaging": (
        "table",
        {"network": {**MLP, "dropout": 0.2}, "optimizer": "schedule_free_adamw", "batch_sampling": "by_loss"},
    ),
    "in parts": (
        "table",
        {"network": MLP, "batch_sampling": "by_loss", "accumulation": 3, "augmentation": ["cell_swap"]},
    ),
    "sharded": (
        "table",
        {
            "network": {"name": "transformer", "depth": 2, "heads": 2, "dropout": 0.0},
            "optimizer": "sgd",
            "regularization": ["gradient_clipping", "early_stopping"],
            "activation_checkpointing": True,
            "accumulation": 2,
            "sharded": True,
        },
    ),
    "sharded pictures": ("image", {"network": RESNET, "sharded": True, "augmentation": ["rotate"]}),
    "sharded states": (
        "table",
        {"network": {**MLP, "width": 96}, "sharded": True, "optimizer": {"name": "adamw", "state_bits": 8}},
    ),
    "two stages": ("table", {"network": MLP, "stages": "deferred", "augmentation": ["cell_swap"], "optimizer": "muon"}),
}
RESUMED = ("resnet", "planned pictures", "sharded states")
BY_GLOO = ("resnet", "features")


def rows_of(kind: str, n: int = 201, seed: int = 0) -> Dataset:
    """A skewed table, or skewed pictures of two channels, one class of which is brighter; each row has a weight."""
    table = made_rows.rows(n, seed=seed)
    if kind == "table":
        return table
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 150, (n, 12, 12, 3)) + 60 * table.y[:, None, None, None]
    return Dataset(
        "image", "classification", Pixels(pixels.astype(np.uint8)), table.index, table.y, table.classes, table.ids
    )


def never(progress: float) -> bool:
    return False


def trained(
    name: str,
    planted: bool = False,
    kept: Checkpoint | None = None,
    on_step: Callable[[float], bool] = never,
) -> Trained:
    """One case, trained by this process or, in a group, by all ranks; with `planted`, on other rows than it should."""
    kind, settings = CASES[name]
    plain: dict[str, Any] = {
        "kind": kind,
        "steps": FEWER_STEPS,
        "batch_size": BATCH,
        "threads": 1,
        "precision": "float32",
    }
    # One process has the whole network.
    alone = {"sharded": False} if distributed.count() == 1 else {}
    recipe = Recipe(**(plain | settings | alone))
    learned, watched = rows_of(kind), rows_of(kind, 60, seed=1)
    if planted:
        # The same number of rows, of which one is a held-out one.
        learned = learned.take(np.r_[np.arange(200), 0])
    trainer = NetworkTrainer(recipe, learned, watched, 0, "cpu")
    return trainer.run(TrainingPlan(trainer.plan(None, 1), checkpoint=kept), on_step)


class KilledError(Exception):
    """In place of a signal that ends the process."""


def resumed(name: str, folder: Path, at: float = 0.6) -> Trained:
    """One case that is ended in the middle, and resumed by a new training of the same rows."""

    def kill(progress: float) -> bool:
        if progress > at:
            raise KilledError
        return False

    with contextlib.suppress(KilledError):
        trained(name, kept=Checkpoint(folder, name), on_step=kill)
    steps = []
    result = trained(name, kept=Checkpoint(folder, name), on_step=lambda progress: bool(steps.append(progress)))
    # The steps before were not taken again.
    assert steps
    assert min(steps) > at
    return result


def values(name: str) -> np.ndarray:
    """All numbers of the trained network, and of its history."""
    return numbers(trained(name))


def numbers(result: Trained) -> np.ndarray:
    state = [part.detach().double().flatten().numpy() for part in result.network.state_dict().values()]
    history = [np.array(list(entry.values())) for entry in result.history]
    return np.concatenate([*state, *history])


def sentence_of(refused: Callable[[], object]) -> str:
    """What the user is told."""
    try:
        refused()
    except DataError as error:
        return str(error)
    return ""


def take_part(rank: Rank, folder: Path) -> None:
    """Train all cases as one rank, through shared memory and some through gloo, and write what came out."""
    torch.set_num_threads(1)
    distributed.join(rank.number, rank.ranks, "cpu", rank.file, Meeting(rank.memory, rank.signals, rank.check))
    found = {name: values(name) for name in CASES}
    different: list[Callable[[], object]] = [
        lambda: trained("mlp", planted=rank.number == 1),
        lambda: distributed.require_same({"versions": f"1.{rank.number}"}),
        lambda: distributed.require_same({distributed.PROBLEM: "no file"} if rank.number else {"versions": "1.0"}),
        lambda: agree(Recipe(kind="table", network="mlp", reference="boosted_trees"), "same rows"),
        lambda: distributed.own_share(1),
        lambda: check_sharded(Recipe(kind="table", network="mlp", regularization=["ema"], sharded=True)),
    ]
    checkpoint.SECONDS = checkpoint.WRITINGS = 0.0
    found |= {f"{name} resumed": numbers(resumed(name, folder)) for name in RESUMED}
    refused = [sentence_of(one) for one in different]
    distributed.leave()
    distributed.join(rank.number, rank.ranks, "cpu", f"{rank.file}-gloo")
    found |= {f"{name} by gloo": values(name) for name in BY_GLOO}
    distributed.leave()
    np.savez(folder / f"rank_{rank.number}.npz", refused=np.array(refused), **found)  # type: ignore[arg-type]

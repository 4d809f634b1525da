"""Rows per second of two processes of one thread each, which train one network together, over one of one thread.

``python benchmarks/devices.py``: the steps of the training loop alone (batch, augmentation, forward, backward, sum of
the gradients, optimizer), as `rarebird fit --devices 2` takes them. Both ways alternate in one run, so that other work
on the machine meets both.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import numpy as np
import torch

from rarebird.data.dataset import Dataset, Frame, Pixels
from rarebird.executors.ranks import Rank, others
from rarebird.recipe.recipe import Recipe
from rarebird.training import distributed
from rarebird.training.device import Placement
from rarebird.training.network_trainer import NetworkTrainer
from rarebird.training.shared_memory import Meeting
from rarebird.training.step_plan import StepPlan

# Name -> kind of data, network and batch size.
SHAPES: dict[str, tuple[str, dict[str, Any], int]] = {
    "resnet, 28 px, batches of 1024": ("image", {"name": "resnet"}, 1024),
    "cnn, 28 px, batches of 1024": ("image", {"name": "cnn"}, 1024),
    "mlp, 20 columns, batches of 2048": ("table", {"name": "mlp"}, 2048),
}
ROWS, WARM_UP = 2048, 3


def rows_of(kind: str) -> Dataset:
    rng = np.random.default_rng(0)
    y = (rng.random(ROWS) < 0.2).astype(np.int64)
    ids = np.arange(ROWS).astype(str)
    if kind == "image":
        source: Any = Pixels(rng.integers(0, 256, (ROWS, 1, 28, 28), dtype=np.uint8))
    else:
        import pandas as pd

        source = Frame(pd.DataFrame(rng.normal(size=(ROWS, 20)), columns=[f"c{place}" for place in range(20)]))
    return Dataset(kind, "classification", source, np.arange(ROWS), y, ("no", "yes"), ids)


def rows_per_second(name: str, steps: int) -> float:
    """Of this process, or of all ranks together."""
    kind, network, batch = SHAPES[name]
    augmentation = ["translate", "rotate"] if kind == "image" else []
    recipe = Recipe(kind=kind, network=network, batch_size=batch, augmentation=augmentation)  # type: ignore[arg-type]
    rows = rows_of(kind)
    trainer = NetworkTrainer(recipe, rows, rows.take(np.arange(0)), 0, "cpu")
    training = trainer.training(Placement("cpu", "float32", kind == "image", 1))
    moments: list[float] = []
    training.on_step = lambda progress: moments.append(time.monotonic()) or False  # type: ignore[func-returns-value]
    training.run(StepPlan(WARM_UP + steps))
    return batch * steps / (moments[-1] - moments[WARM_UP - 1])


def measure(rank: Rank, name: str, steps: int) -> float:
    """What each of the processes does."""
    torch.set_num_threads(1)
    distributed.join(rank.number, rank.ranks, "cpu", rank.file, Meeting(rank.memory, rank.signals, rank.check))
    try:
        return rows_per_second(name, steps)
    finally:
        distributed.leave()


def work(rank: Rank, name: str, steps: int) -> None:
    measure(rank, name, steps)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES), help="Words that begin the names of the shapes.")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    for name in (one for one in SHAPES if one.startswith(tuple(asked.shapes))):
        alone, together = [], []
        for _ in range(asked.rounds):
            alone.append(rows_per_second(name, asked.steps))
            with others(work, (name, asked.steps), asked.processes, 1) as (first, _started):
                together.append(measure(first, name, asked.steps))
        one, more = statistics.median(alone), statistics.median(together)
        ratios = ", ".join(f"{both / single:.2f}" for single, both in zip(alone, together, strict=True))
        print(f"{name}: {one:.0f} rows/s by one process, {more:.0f} by {asked.processes}: {more / one:.2f} ({ratios})")


if __name__ == "__main__":
    main()

"""Rows per second of a whole training of pictures: our loop against a plain PyTorch loop, and against the bare steps.

``python benchmarks/throughput.py --threads 2``: one network, batch size, optimizer and policy of augmentation (the
default recipe's: a shift, a rotation, a scaling, brightness and contrast) in each way, which alternate in rounds.

- *plain*: a `Dataset` of uint8 pictures, a `DataLoader` (without workers, and with two; the faster one counts),
  torchvision v2 for each picture, float32, AdamW with a cosine schedule, evaluation twelve times.
- *ours*: `NetworkTrainer` from the first step to the last, evaluation twelve times, in float32 and in bfloat16, both
  with channels last.
- *bare*: forward, backward and optimizer step on one batch that is ready, nothing else.

Beside the rates it prints how ours divides its time: what a step takes without augmentation, hooks and evaluation.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset
from torchvision.transforms import v2

from rarebird.data.dataset import Dataset, Pixels
from rarebird.recipe.recipe import Recipe
from rarebird.training.device import Placement
from rarebird.training.network_trainer import NetworkTrainer
from rarebird.training.step_plan import StepPlan

CLASSES, EVALUATIONS = 10, 12
# Rows that are evaluated in all, over those of the steps: the share that our loop takes where there are many rows.
EVALUATED_SHARE = 0.2
WARM_UP = 3
DEGREES, FRACTION, STRENGTH, COLOR = 10, 0.1, 0.1, 0.4
POLICY: list[dict[str, Any]] = [
    {"name": "translate", "fraction": FRACTION},
    {"name": "rotate", "degrees": DEGREES},
    {"name": "scale", "strength": STRENGTH},
    {"name": "brightness", "strength": COLOR},
    {"name": "contrast", "strength": COLOR},
]
HOOKS = ["ema", "gradient_clipping"]
PLACEMENTS = {"float32": ("float32", True), "bfloat16": ("bfloat16", True)}


def rows_of(n: int, side: int, seed: int) -> Dataset:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, CLASSES, n)
    pixels = rng.integers(0, 200, (n, 1, side, side)) + 5 * y[:, None, None, None]
    names = tuple(str(one) for one in range(CLASSES))
    return Dataset(
        "image", "classification", Pixels(pixels.astype(np.uint8)), np.arange(n), y, names, np.arange(n).astype(str)
    )


class Pictures(TorchDataset):  # type: ignore[type-arg]
    """Pictures and labels as most tutorials have them."""

    def __init__(self, rows: Dataset, transform: Callable[[Tensor], Tensor]) -> None:
        self.pixels = torch.from_numpy(rows.source.array)  # type: ignore[attr-defined]
        self.y, self.transform = torch.from_numpy(rows.y), transform

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, at: int) -> tuple[Tensor, Tensor]:
        return self.transform(self.pixels[at]), self.y[at]


class Case:
    """One network with its rows, and the ways of its training."""

    def __init__(self, network: str, side: int, batch: int, threads: int, steps: int) -> None:
        self.network, self.batch, self.threads, self.steps = network, batch, threads, steps
        watched = max(2, round(EVALUATED_SHARE * batch * steps / EVALUATIONS))
        self.learned, self.watched = rows_of(4096, side, 0), rows_of(watched, side, 1)

    def trainer(self, precision: str, **changes: Any) -> NetworkTrainer:
        settings: dict[str, Any] = {
            "kind": "image",
            "network": self.network,
            "batch_size": self.batch,
            "steps": self.steps,
            "threads": self.threads,
            "precision": PLACEMENTS[precision][0],
            "channels_last": PLACEMENTS[precision][1],
            "augmentation": POLICY,
            "regularization": HOOKS,
        }
        return NetworkTrainer(Recipe(**(settings | changes)), self.learned, self.watched, 0, "cpu")

    def ours(self, precision: str, is_watched: bool = True, **changes: Any) -> float:
        """Rows per second of all steps."""
        trainer = self.trainer(precision, **changes)
        training = trainer.training(Placement("cpu", *PLACEMENTS[precision], self.threads))
        if is_watched and (validation := trainer._validation(training.network, trainer.recipe)) is not None:
            training.validation = lambda network: validation(network, trainer.prior_factor(0))
        start = time.monotonic()
        training.run(StepPlan(self.steps))
        return self.batch * self.steps / (time.monotonic() - start)

    def plain(self, workers: int) -> float:
        affine = v2.RandomAffine(
            DEGREES,
            (FRACTION, FRACTION),
            (1 / (1 + STRENGTH), 1 + STRENGTH),
            interpolation=v2.InterpolationMode.BILINEAR,
        )
        ready = v2.ToDtype(torch.float32, scale=True)
        policy = v2.Compose([affine, v2.ColorJitter(brightness=COLOR, contrast=COLOR), ready])
        keeps = workers > 0
        learned = DataLoader(
            Pictures(self.learned, policy),
            self.batch,
            True,
            num_workers=workers,
            drop_last=True,
            persistent_workers=keeps,
        )
        watched = DataLoader(Pictures(self.watched, ready), self.batch, num_workers=workers, persistent_workers=keeps)
        network = self.trainer("float32").training(Placement()).network
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps)
        start = time.monotonic()
        for step, (x, y) in enumerate(endless(learned, self.steps)):
            network.train()
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(network({"pixels": x}), y)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            if (step + 1) % max(1, self.steps // EVALUATIONS) == 0:
                network.eval()
                with torch.no_grad():
                    sum(float((network({"pixels": a}).argmax(dim=1) == b).sum()) for a, b in watched)
        return self.batch * self.steps / (time.monotonic() - start)

    def bare(self, precision: str) -> float:
        """Forward, backward and step on a batch that is ready."""
        trainer, where = self.trainer(precision), Placement("cpu", *PLACEMENTS[precision], self.threads)
        network = trainer.training(where).network.train()
        optimizer = trainer.recipe.optimizer.build(network)
        x, y, _ = trainer.rows.batch(np.arange(self.batch), where)
        start = time.monotonic()
        for _ in range(self.steps):
            optimizer.zero_grad(set_to_none=True)
            with where.autocast():
                logits = network(x)
            torch.nn.functional.cross_entropy(logits.float(), y).backward()
            optimizer.step()
        return self.batch * self.steps / (time.monotonic() - start)


def endless(loader: Any, steps: int) -> Iterator[Any]:
    while True:
        for batch in loader:
            if steps == 0:
                return
            steps -= 1
            yield batch


def ways(case: Case) -> dict[str, Callable[[], float]]:
    found: dict[str, Callable[[], float]] = {
        "plain, no workers": lambda: case.plain(0),
        "plain, two workers": lambda: case.plain(2),
    }
    for precision in PLACEMENTS:
        found |= {
            f"ours, {precision}, whole": lambda precision=precision: case.ours(precision),
            f"ours, {precision}, no evaluation": lambda precision=precision: case.ours(precision, False),
            f"ours, {precision}, no evaluation, no hooks": lambda precision=precision: case.ours(
                precision, False, regularization=[]
            ),
            f"ours, {precision}, steps alone": lambda precision=precision: case.ours(
                precision, False, regularization=[], augmentation=[]
            ),
            f"bare, {precision}": lambda precision=precision: case.bare(precision),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="+", default=["cnn", "resnet"])
    parser.add_argument("--side", type=int, default=28)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ways", nargs="+", default=["plain", "ours", "bare"], help="Words of the ways' names.")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    for network in given.networks:
        case = Case(network, given.side, given.batch, given.threads, given.steps)
        measured = {name: way for name, way in ways(case).items() if any(word in name for word in given.ways)}
        rates: dict[str, list[float]] = {name: [] for name in measured}
        for place in range(given.rounds + 1):
            case.steps = given.steps if place else WARM_UP  # the first round loads what is loaded once
            for name, way in measured.items():
                rate = way()
                rates[name] += [rate] if place else []
        median = {name: statistics.median(own) for name, own in rates.items()}
        plain = max([rate for name, rate in median.items() if name.startswith("plain")], default=math.nan)
        print(f"\n{network}, {given.side} px, batches of {given.batch}, {given.threads} threads")
        for name, rate in median.items():
            spread = f"{min(rates[name]):,.0f} to {max(rates[name]):,.0f}"
            bare = median.get("bare, bfloat16" if "bfloat16" in name else "bare, float32", math.nan)
            print(
                f"{name:44} {rate:7,.0f} rows/s ({spread}), {rate / plain:5.2f} x plain, {bare / rate - 1:+.1%} on bare"
            )


if __name__ == "__main__":
    main()

"""The learning-rate range test: train a few steps at ever higher rates, and see at which the loss falls and at which it
bursts.

Smith, "Cyclical learning rates for training neural networks", WACV 2017; with the rate growing by a constant factor per
step, as in fastai (Howard and Gugger, "fastai: a layered API for deep learning", Information 2020).

NOTE[DIFF]: the losses are smoothed by a Gaussian window over the steps on both sides. The running mean of fastai lags
behind, so that its minimum stands at too high a rate, more so the fewer the steps.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rarebird.core.atomic_files import whole_file
from rarebird.core.checks import DataError, require
from rarebird.data import split
from rarebird.data.dataset import Dataset, Splits
from rarebird.experiment.setup import TEST_SHARE, separate
from rarebird.recipe.recipe import Recipe
from rarebird.report.figures.drawing import COLORS, DASHES, figure_style
from rarebird.slots.hooks import Hook, TrainState
from rarebird.training.device import Placement, choose_device
from rarebird.training.network_trainer import Bench
from rarebird.training.step_plan import Course

LOWEST, HIGHEST, STEPS = 1e-6, 10.0, 200
FEWEST_STEPS = 20
# Spread of the smoothing window, as a share of the steps.
SPREAD = 0.025
# The walk ends where the loss is so many times what it was at the first steps.
BURST, FIRST = 4.0, 5
# The proposal keeps this factor below the rate of the least loss, where the steps are as likely to do harm as good.
BELOW_MINIMUM = 10.0


@dataclass(frozen=True)
class RateRange:
    """What a range test found.

    Attributes:
        proposed: A tenth of the rate of the least loss: a good first guess for the highest rate of a schedule.
        steepest: The rate at which the loss falls fastest per decade; it depends on chance more than the others.
        minimum: The rate of the least smoothed loss; too high to train at.
        optimizer: Whose rate it is.
        rates, losses, smoothed: One per step, up to where the loss bursts.
    """

    proposed: float
    steepest: float
    minimum: float
    optimizer: str
    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]

    def for_machines(self) -> dict[str, Any]:
        """The rates read off the curve, without the curve."""
        return {name: getattr(self, name) for name in ("optimizer", "proposed", "steepest", "minimum")}

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write ``learning_rate.json`` and ``learning_rate.png`` into `folder`, which is made where it is absent; their
        paths."""
        folder.mkdir(parents=True, exist_ok=True)
        values, picture = folder / "learning_rate.json", folder / "learning_rate.png"
        with whole_file(values) as building:
            building.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        with whole_file(picture) as building:
            draw(self, building)
        return values, picture


@dataclass(frozen=True)
class Exponential:
    """A schedule that grows by a constant factor per step, from ``1 / growth`` to 1."""

    growth: float

    def __call__(self, progress: float, losses: Any = ()) -> float:
        return float(self.growth ** (progress - 1))


class Listener(Hook):
    """Keeps each step's loss, and ends the training where it bursts."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def around(self, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
        optimizer.register_step_pre_hook(self._heard)
        return optimizer

    def _heard(
        self, optimizer: torch.optim.Optimizer, given: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[Any, Any]:
        itself, closure = given
        first = len(self.losses)

        def closing() -> torch.Tensor:
            loss: torch.Tensor = closure()
            # An optimizer that computes the loss twice (`sam`) is heard once.
            if len(self.losses) == first:
                self.losses.append(float(loss))
            return loss

        return (itself, closing), named

    def after_step(self, state: TrainState) -> None:
        last = self.losses[-1]
        state.stop = state.stop or not math.isfinite(last) or last > BURST * max(self.losses[:FIRST])


def find(
    recipe: Recipe,
    data: Splits,
    *,
    steps: int = STEPS,
    lowest: float = LOWEST,
    highest: float = HIGHEST,
    device: str = "auto",
    report: Callable[[float, str], bool] = lambda progress, what: False,
) -> RateRange:
    """Walk through the rates on the training rows of the recipe's first network; held-out and test rows take no part.

    Args:
        recipe: Whose first stage is trained; its own rate and schedule play no part.
        data: Rows, split as a run would.
        steps: Steps from the lowest to the highest rate.
        lowest, highest: Rates to walk through.
        device: A torch device, or ``auto``.
        report: Told of the progress 0..1; True from it ends the walk.

    Raises:
        DataError: The rows or the recipe cannot serve, or the loss bursts before anything can be seen.
    """
    require(0 < lowest < highest, "0 < lowest < highest", lowest=lowest, highest=highest)
    require(steps >= FEWEST_STEPS, f"steps >= {FEWEST_STEPS}", steps=steps)
    if recipe.reference is not None:
        raise DataError(f"The reference {recipe.reference.name!r} has no learning rate; take it out of the recipe.")
    rows = first_rows(recipe, data)
    bench = Bench(recipe, rows, rows.take(np.zeros(0, dtype=int)), 0, choose_device(device))
    precision = "float32" if recipe.precision == "auto" else recipe.precision
    training = bench.training(Placement(bench.device, precision, bool(recipe.channels_last) and recipe.kind == "image"))
    optimizer: Any = training.stages[0].optimizer
    walk: Any = Exponential(highest / lowest)
    training.stages = [
        replace(
            training.stages[0],
            schedule=walk,
            optimizer=optimizer.model_copy(update={"learning_rate": highest}),
            until=1.0,
        )
    ]
    listener = Listener()
    training.hooks = [*training.hooks, listener]
    training.report = lambda progress: report(progress, "walking through the rates")
    try:
        training.run(Course(steps))
    except DataError:
        # A loss that is no number ends the walk as a burst does; what else the training refuses is passed on.
        if all(math.isfinite(loss) for loss in listener.losses):
            raise
    rates = [lowest * (highest / lowest) ** (step / steps) for step in range(len(listener.losses))]
    return proposal(rates, listener.losses, recipe.optimizer.name, steps)


def first_rows(recipe: Recipe, data: Splits) -> Dataset:
    """The rows that the recipe's first network would train on."""
    splits = separate(data, recipe, TEST_SHARE, [])
    protocol = split.decide(splits.train, splits.val, folds=recipe.folds, holdout=recipe.holdout)
    fit, _ = split.parts(splits.train, protocol, recipe.seed)[0]
    return splits.train.take(fit)


def proposal(rates: list[float], losses: list[float], optimizer: str, steps: int) -> RateRange:
    """Read the rates off a walk's losses; those that are no number, or burst, are left out.

    Raises:
        DataError: Fewer than ten losses are left.
    """
    kept = [loss for loss in losses if math.isfinite(loss)]
    if len(kept) < 10:
        raise DataError(
            f"The loss bursts within {len(losses)} steps from a learning rate of {rates[0]:g}, before anything can be seen; check the data."
        )
    values, tried = np.array(kept), np.array(rates[: len(kept)])
    # A last loss of any size must not outweigh all others within the window.
    smoothed = smooth(values.clip(max=BURST * values[:FIRST].max()), max(SPREAD * steps, 1.0))
    least = int(smoothed.argmin())
    # The fall is looked for on the way to the least loss.
    fall = np.diff(smoothed[: max(least, 1) + 1])
    return RateRange(
        proposed=float(tried[least] / BELOW_MINIMUM),
        steepest=float(tried[int(fall.argmin())]),
        minimum=float(tried[least]),
        optimizer=optimizer,
        rates=tuple(tried.tolist()),
        losses=tuple(values.tolist()),
        smoothed=tuple(smoothed.tolist()),
    )


def smooth(values: np.ndarray, spread: float) -> np.ndarray:
    """``(n,)`` means over a Gaussian window of so many steps; at the ends, over what there is of it."""
    place = np.arange(len(values))
    window = np.exp(-(((place[:, None] - place) / spread) ** 2) / 2)
    mean: np.ndarray = window @ values / window.sum(axis=1)
    return mean


def draw(found: RateRange, path: Path) -> None:
    """The curve as a PNG: each step's loss, the smoothed one, and where the rates stand."""
    low, high = min(found.smoothed), max(found.smoothed)
    margin = 0.1 * (high - low) or 0.1
    with figure_style() as new_figure:
        figure = new_figure(6.4, 4.2)
        axes = figure.subplots()
        axes.plot(found.rates, found.losses, color=COLORS["series-0"], linewidth=0.8, alpha=0.4, label="each step")
        axes.plot(found.rates, found.smoothed, color=COLORS["series-0"], label="smoothed")
        marks = (("proposed", "series-1"), ("steepest", "series-2"), ("minimum", "muted"))
        for place, (name, color) in enumerate(marks):
            rate = getattr(found, name)
            axes.axvline(rate, color=COLORS[color], dashes=DASHES[place] or (None, None), label=f"{name}: {rate:.2g}")
        axes.set(
            xscale="log",
            xlabel=f"learning rate ({found.optimizer})",
            ylabel="training loss",
            ylim=(low - margin, high + margin),
        )
        axes.xaxis.set_major_formatter(lambda rate, _: f"{rate:g}")
        axes.legend(frameon=False)
        figure.savefig(path, format="png", dpi=150, metadata={"Software": None})

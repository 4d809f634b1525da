"""The learning-rate range test: train some steps at higher and higher rates, and see where the loss falls and where it
diverges.

Smith, "Cyclical learning rates for training neural networks", WACV 2017; with a rate that grows by a constant factor
per step, as in fastai (Howard and Gugger, "fastai: a layered API for deep learning", Information 2020).

NOTE[DIFF]: losses are smoothed by a Gaussian window over the steps on both sides. The running mean of fastai lags
behind, so its minimum is at too high a rate, more so with few steps.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rarebird.core.checks import DataError, require
from rarebird.core.progress import Progress, silent
from rarebird.data import split
from rarebird.data.dataset import Dataset, Splits
from rarebird.experiment.copies import Copies
from rarebird.experiment.setup import TEST_SHARE, separate
from rarebird.recipe.recipe import Recipe
from rarebird.report.figures.drawing import COLORS, DASHES, figure_style
from rarebird.report.left_out import why_left_out
from rarebird.runs.output_folder import OutputFolder
from rarebird.slots.hooks import Hook, TrainState
from rarebird.training.device import Placement, choose_device
from rarebird.training.loop import Training
from rarebird.training.network_trainer import NetworkTrainer
from rarebird.training.step_plan import StepPlan

VALUES, CURVE = "learning_rate.json", "learning_rate.png"
FILES = (VALUES, CURVE)
LOWEST, HIGHEST, STEPS = 1e-6, 10.0, 200
FEWEST_STEPS, FEWEST_LOSSES = 20, 10
# Width of the smoothing window, as a share of the steps.
WINDOW_SHARE = 0.025
# The loss diverges where it exceeds the largest of its first losses by this factor.
DIVERGED, FIRST = 4.0, 5
# A proposed rate that is this many times the recipe's own, or a fraction of it, gets an explanation.
FAR = 3.0
# The proposal is lower by this factor than the rate of the least loss, at which a step is as likely to do harm as good.
BELOW_MINIMUM = 10.0


@dataclass(frozen=True)
class RateRange:
    """The result of a range test.

    Attributes:
        proposed: A tenth of the rate of the least loss: a good first guess for the highest rate of a schedule.
        steepest: The rate at which the loss falls fastest per decade; it depends on chance more than the others.
        minimum: The rate of the least smoothed loss; too high to train at.
        optimizer: The optimizer that took the steps.
        rates, losses, smoothed: One per step, up to where the loss diverges.
        notes: Sentences that the user should read.
    """

    proposed: float
    steepest: float
    minimum: float
    optimizer: str
    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    notes: tuple[str, ...] = ()

    def for_machines(self) -> dict[str, Any]:
        """The rates as JSON holds them, without the curve."""
        return {name: getattr(self, name) for name in ("optimizer", "proposed", "steepest", "minimum", "notes")}

    def to_text(self) -> str:
        """The proposed rate and the notes, as lines of text."""
        rate = f"Learning rate of {self.optimizer}: {self.proposed:.2g} (least loss at {self.minimum:.2g})."
        return "\n".join([rate, *(f"Note: {note}" for note in self.notes)])

    def write(self, out: OutputFolder) -> list[str]:
        """Write the values, and then the curve; a sentence if the curve could not be drawn."""
        with out.replacing() as building:
            (building / VALUES).write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        try:
            with out.replacing() as building:
                draw(self, building / CURVE)
        except Exception as error:
            return [f"{CURVE} could not be drawn{why_left_out(error)}; {VALUES} holds all values."]
        return []


@dataclass(frozen=True)
class ExponentialGrowth:
    """A schedule that grows by a constant factor per step, from ``1 / growth`` to 1."""

    growth: float

    def __call__(self, progress: float, losses: Any = ()) -> float:
        return float(self.growth ** (progress - 1))


class LossRecorder(Hook):
    """Records the loss of each step, and ends the training where it diverges."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def around(self, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
        optimizer.register_step_pre_hook(self._record_loss)
        return optimizer

    def _record_loss(
        self, optimizer: torch.optim.Optimizer, arguments: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[Any, Any]:
        itself, closure = arguments
        first = len(self.losses)

        def recording() -> torch.Tensor:
            loss: torch.Tensor = closure()
            # An optimizer may compute the loss of one step twice (`sam`): only the first one is recorded.
            if len(self.losses) == first:
                self.losses.append(float(loss))
            return loss

        return (itself, recording), named

    def after_step(self, state: TrainState) -> None:
        last = self.losses[-1]
        state.stop = state.stop or not math.isfinite(last) or last > DIVERGED * max(self.losses[:FIRST])


def find(
    recipe: Recipe,
    data: Splits,
    *,
    steps: int = STEPS,
    lowest: float = LOWEST,
    highest: float = HIGHEST,
    device: str = "auto",
    progress: Progress = silent,
    keep_copies: bool = False,
) -> RateRange:
    """Run the range test on the training rows of the recipe's first network, without held-out and test rows.

    Args:
        recipe: Its first stage is trained; its own rate and schedule are not used.
        data: Rows, split as in a run.
        steps: Steps from the lowest to the highest rate.
        lowest, highest: The first and the last rate.
        device: A torch device, or ``auto``.
        progress: Told of the share done; True from it ends the test.
        keep_copies: Whether training rows that copy a given validation or test row are trained on.

    Raises:
        DataError: The rows or the recipe cannot be used, or the loss diverges after a few steps.
    """
    require(0 < lowest < highest, "0 < lowest < highest", lowest=lowest, highest=highest)
    require(steps >= FEWEST_STEPS, f"steps >= {FEWEST_STEPS}", steps=steps)
    if recipe.reference is not None:
        raise DataError(f"The reference {recipe.reference.name!r} has no learning rate; take it out of the recipe.")
    if recipe.head is not None:
        raise DataError(f"The head {recipe.head.name!r} is solved without a learning rate; take it out of the recipe.")
    rows, notes = first_rows(recipe, data, keep_copies)
    training = _training(recipe, rows, choose_device(device), lowest, highest)
    recorder = LossRecorder()
    training.hooks = [*training.hooks, recorder]
    training.on_step = lambda share: progress(share, "training at higher and higher rates")
    try:
        training.run(StepPlan(steps))
    except DataError:
        # A loss that is not a number ends the test, as a loss that diverges does; other errors are passed on.
        if all(math.isfinite(loss) for loss in recorder.losses):
            raise
    rates = [lowest * (highest / lowest) ** (step / steps) for step in range(len(recorder.losses))]
    found = proposal(rates, recorder.losses, recipe.optimizer.name, steps)
    return replace(found, notes=(*notes, *_against_recipe(found, recipe)))


def _against_recipe(found: RateRange, recipe: Recipe) -> list[str]:
    """A sentence on a proposed rate that is far from the recipe's own, and why both may be right."""
    settings: Any = recipe.optimizer
    own = float(settings.learning_rate)
    ratio = found.proposed / own
    if 1 / FAR < ratio < FAR:
        return []
    times, than = (ratio, "higher") if ratio > 1 else (1 / ratio, "lower")
    return [
        f"The proposed rate is {times:.2g} times {than} than the recipe's {own:.2g}. The test takes {len(found.rates)} "
        "steps from random weights and looks at their training loss alone; the recipe's rate is for a whole training, "
        "whose held-out rows it serves. Compare both before you choose: "
        f"rarebird tune DATA --set optimizer.learning_rate={{choices=[{own:.2g},{found.proposed:.2g}]}}."
    ]


def _training(recipe: Recipe, rows: Dataset, device: str, lowest: float, highest: float) -> Training:
    """The training of the recipe's first stage on these rows, at rates that grow from the lowest to the highest."""
    trainer = NetworkTrainer(recipe, rows, rows.take(np.zeros(0, dtype=int)), 0, device)
    precision = "float32" if recipe.precision == "auto" else recipe.precision
    training = trainer.training(Placement(device, precision, bool(recipe.channels_last) and recipe.kind == "image"))
    first: Any = training.stages[0]
    optimizer = first.optimizer.model_copy(update={"learning_rate": highest})
    growth = ExponentialGrowth(highest / lowest)
    training.stages = [replace(first, schedule=growth, optimizer=optimizer, until=1.0)]
    return training


def first_rows(recipe: Recipe, data: Splits, keep_copies: bool = False) -> tuple[Dataset, tuple[str, ...]]:
    """The rows that the recipe's first network would train on, and notes on rows that are left out."""
    splits = separate(data, recipe, TEST_SHARE, Copies(keep_copies))
    protocol = split.decide(splits.train, splits.val, folds=recipe.folds, holdout=recipe.holdout)
    learned, _ = split.parts(splits.train, protocol, recipe.seed)[0]
    return splits.train.take(learned), splits.notes


def proposal(rates: Sequence[float], losses: Sequence[float], optimizer: str, steps: int) -> RateRange:
    """Read the rates off the losses; a loss that is not a number is left out.

    Args:
        rates, losses: One per step.
        optimizer: The optimizer's name.
        steps: Steps that the whole test would have had.

    Raises:
        DataError: Fewer than `FEWEST_LOSSES` losses are left.
    """
    kept = [loss for loss in losses if math.isfinite(loss)]
    if len(kept) < FEWEST_LOSSES:
        raise DataError(
            f"The loss diverges within {len(losses)} steps, although the learning rate starts at only {rates[0]:g}; "
            "check the data."
        )
    values, tried = np.array(kept), np.array(rates[: len(kept)])
    # The last loss may be huge, and must not outweigh all others within the window.
    smoothed = smooth(values.clip(max=DIVERGED * values[:FIRST].max()), max(WINDOW_SHARE * steps, 1.0))
    least = int(smoothed.argmin())
    # The steepest fall is searched for before the least loss.
    slopes = np.diff(smoothed[: max(least, 1) + 1])
    return RateRange(
        proposed=float(tried[least] / BELOW_MINIMUM),
        steepest=float(tried[int(slopes.argmin())]),
        minimum=float(tried[least]),
        optimizer=optimizer,
        rates=tuple(tried.tolist()),
        losses=tuple(values.tolist()),
        smoothed=tuple(smoothed.tolist()),
    )


def smooth(values: np.ndarray, width: float) -> np.ndarray:
    """``(n,)`` means over a Gaussian window of a width in steps; at both ends, over the part of it that has values."""
    place = np.arange(len(values))
    window = np.exp(-(((place[:, None] - place) / width) ** 2) / 2)
    mean: np.ndarray = window @ values / window.sum(axis=1)
    return mean


def draw(found: RateRange, path: Path) -> None:
    """Draw the curve as a PNG: the loss of each step, the smoothed loss, and the three rates."""
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

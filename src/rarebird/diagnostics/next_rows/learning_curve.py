"""A learning curve over rows: a recipe is trained on nested parts of the training rows, and judged on the same held-out
rows each time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rarebird.comparison.course import FEWEST_STEPS_SHARE
from rarebird.core import rng
from rarebird.core.compute import Compute
from rarebird.data.dataset import Dataset
from rarebird.diagnostics.next_rows.power_law import RowsNeeded, rows_needed
from rarebird.evaluation import held_outputs
from rarebird.evaluation.cross_validate import assess
from rarebird.evaluation.result import StepsTaken
from rarebird.experiment.setup import Setup
from rarebird.experiment.steps_taken import steps_taken
from rarebird.recipe.recipe import Recipe
from rarebird.training.cross_fit import CrossFit, Parts, cross_fit_all

# Shares of each class's training rows, before all of them.
SHARES = (0.25, 0.5)
# Gain that is asked for: of a class's recall, or of the squared error, as a share of it.
RECALL_GAIN, ERROR_GAIN = 0.05, 0.1
DRAWS = 400
# A class with fewer held-out rows, or fewer rows to learn from, has no curve.
FEWEST_HELD, FEWEST_LEARNED = 8, 8


@dataclass(frozen=True)
class ClassCurve:
    """One class's curve; of a regression, that of all rows.

    Attributes:
        label: The class; empty for regression.
        rows: Rows to learn from at each point, a mean over the parts; the last are all of them.
        values: Recall at each point, or the mean squared error.
        needed: More rows for the gain; None where too few rows are there to tell, or the trainings were too short.
        short: The steps of trainings that were too short to tell; None where they were long enough.
    """

    label: str
    rows: tuple[int, ...]
    values: tuple[float, ...]
    needed: RowsNeeded | None
    short: StepsTaken | None = None

    def sentence(self) -> str:
        """How many more rows would help."""
        if self.short is not None:
            return (
                f"The trainings were too short to draw a learning curve: {self.short.steps:,} of about "
                f"{self.short.full_steps:,} steps; give a longer --budget, or more --steps."
            )
        of = f"class {self.label!r}" if self.label else "the data"
        gain = f"+{RECALL_GAIN:g} recall" if self.label else f"a squared error that is {ERROR_GAIN:.0%} smaller"
        if self.needed is None:
            return f"Too few rows of {of} to draw a learning curve."
        found = self.needed
        if np.isfinite(found.low) and not np.isfinite(found.rows):
            return (
                f"The learning curve of {of} does not show that more rows like these give {gain}: the interval of the "
                f"rows needed is [{_rounded(found.low):,}, no limit]."
            )
        if not np.isfinite(found.rows):
            return f"The learning curve of {of} is flat: more rows like these are not expected to give {gain}."
        high = f"{_rounded(found.high):,}" if np.isfinite(found.high) else "no limit"
        return f"About {_rounded(found.rows):,} more rows of {of} for {gain} [{_rounded(found.low):,}, {high}]."


def _rounded(rows: float) -> int:
    """A number of rows in two digits."""
    digits = max(len(str(int(rows))) - 2, 0)
    return int(round(rows / 10**digits) * 10**digits)


def train_curve(
    recipe: Recipe, setup: Setup, parts: Parts, full: CrossFit, compute: Compute
) -> list[tuple[float, CrossFit]]:
    """The recipe trained on each share of the rows, with steps in proportion; with all rows it is `full`.

    Args:
        recipe: Laid out for all rows.
        setup: Split rows.
        parts: Of `full`.
        full: The networks that were trained on all rows.
        compute: Device, deadline and progress; True from it ends the curve with the points so far.
    """
    points: list[tuple[float, CrossFit]] = []
    train = setup.splits.train
    for share in SHARES:
        nested = [
            (_nested(train, learned, share, recipe.seed, place), held) for place, (learned, held) in enumerate(parts)
        ]
        steps = None if recipe.steps is None else max(1, round(share * recipe.steps))
        models = cross_fit_all(recipe.updated(steps=steps, relaid=()), setup.splits, nested, compute)
        if models.ended_by_user or len(models.trained) < len(parts):
            break
        points.append((share, models))
    return [*points, (1.0, full)]


def _nested(train: Dataset, learned: np.ndarray, share: float, seed: int, part: int) -> np.ndarray:
    """The first `share` of each class's rows, at least one, in an order that is the same for all shares."""
    order = rng.stream(seed, "learning curve", part).permutation(len(learned))
    if train.task == "regression":
        return np.sort(learned[order[: max(1, round(share * len(order)))]])
    codes = train.codes[learned]
    kept = []
    for code in np.unique(codes):
        rows = order[codes[order] == code]
        kept.append(rows[: max(1, round(share * len(rows)))])
    return np.sort(learned[np.concatenate(kept)])


def class_curves(
    points: Sequence[tuple[float, CrossFit]], setup: Setup, parts: Parts, device: str, seed: int
) -> list[ClassCurve]:
    """The curve of each class, from the points of `train_curve`.

    A network that was trained for a small share of its own steps has learned little from any number of rows: its curve
    is flat whatever more rows would give, so that none is drawn.
    """
    scored, train = setup.scored_rows, setup.splits.train
    steps = steps_taken([points[-1][1]], train)
    short = steps if steps is not None and steps.steps < FEWEST_STEPS_SHARE * steps.full_steps else None
    errors, common = _errors(points, setup, device)
    shares = np.array([share for share, _ in points])
    learned = [len(rows) for rows, _ in parts]
    if train.task == "regression":
        curve = _curve("", float(np.mean(learned)) * shares, errors, rng.stream(seed, "curve"))
        return [curve if short is None else replace(curve, needed=None, short=short)]
    curves = []
    for code, label in enumerate(train.classes):
        mine = errors[:, scored.codes[common] == code]
        n = np.mean([(train.codes[rows] == code).sum() for rows, _ in parts]) * shares
        curves.append(_curve(label, n, mine, rng.stream(seed, "curve", code)))
    return curves if short is None else [replace(curve, needed=None, short=short) for curve in curves]


def _errors(points: Sequence[tuple[float, CrossFit]], setup: Setup, device: str) -> tuple[np.ndarray, np.ndarray]:
    """``(m, n)`` errors of the held-out rows at each point: 1 for a wrong label, or the squared error; and the rows'
    positions."""
    scored, found = setup.scored_rows, []
    for _, models in points:
        predicted = assess(models, held_outputs.predict(models, scored, device), setup.splits, setup.positive)
        rows = scored.take(predicted.rows)
        truth = rows.y if scored.task == "regression" else rows.codes
        wrong = (predicted.labels - truth) ** 2 if scored.task == "regression" else predicted.labels != truth
        errors = np.full(len(scored), np.nan)
        errors[predicted.rows] = wrong
        found.append(errors)
    common = np.flatnonzero(np.isfinite(found).all(axis=0))
    return np.array(found, dtype=float)[:, common], common


def _curve(label: str, n: np.ndarray, errors: np.ndarray, draw: np.random.Generator) -> ClassCurve:
    held = errors.shape[1]
    rows = tuple(round(value) for value in n)
    means = errors.mean(axis=1) if held else np.full(len(n), np.nan)
    values = tuple(float(value) for value in (1 - means if label else means))
    if held < FEWEST_HELD or rows[-1] < FEWEST_LEARNED or len(n) < 2:
        return ClassCurve(label, rows, values, None)
    resampled = errors[:, draw.integers(0, held, (DRAWS, held))].mean(axis=2).T
    # A perfect score of few rows is no proof of a perfect class: half an error is added.
    least = 0.5 / (held + 1) if label else 1e-12
    gain = RECALL_GAIN if label else ERROR_GAIN * float(means[-1])
    return ClassCurve(label, rows, values, rows_needed(n, np.maximum(means, least), np.maximum(resampled, least), gain))

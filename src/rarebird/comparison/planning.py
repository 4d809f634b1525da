"""How long the trainings of a comparison take, and how many steps and repeats a budget therefore allows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import nn

from rarebird.comparison.course import FEWEST_STEPS_SHARE, Course
from rarebird.comparison.generators import plan_generators
from rarebird.comparison.paired_test import FEWEST_SPLITS
from rarebird.comparison.repeated_splits import BASELINE, RepeatedCrossValidation
from rarebird.core.checks import DataError
from rarebird.data import prepare
from rarebird.data.dataset import Dataset
from rarebird.data.prepare import Prepared
from rarebird.evaluation import held_outputs
from rarebird.evaluation.cross_validate import assess
from rarebird.model.model import Member
from rarebird.recipe.recipe import Recipe
from rarebird.training.cross_fit import CrossFit, trainer_of
from rarebird.training.network_trainer import NetworkTrainer
from rarebird.training.step_plan import STEPPING_SHARE
from rarebird.training.trainer import Trained, Trainer, TrainingPlan

# Share of the time that is used to measure steps, and the limits of one measurement in seconds.
MEASURING_SHARE = 0.06
SHORTEST_MEASUREMENT, LONGEST_MEASUREMENT = 0.03, 0.6
# Share of the time that is planned for, so that a machine that slows down a little costs no repeat.
PLANNED = 0.9
# Rounds for which a reference is trained to measure it; with fewer, preparation takes longer than the rounds.
MEASURED_ROUNDS = (5, 25)


@dataclass(frozen=True)
class Cost:
    """The time that one training takes.

    Attributes:
        start: Seconds that do not depend on the steps: preparation, resampling, prediction.
        step: Seconds of an optimizer step, or of a reference's round.
        own_steps: Steps that the recipe asks for.
        score: Seconds to calibrate, decide and score a repeat.
    """

    start: float
    step: float
    own_steps: int
    score: float = 0.0


@dataclass(frozen=True)
class Plan:
    """What the time allows: the share of its own steps that each recipe gets, and the number of repeated splits."""

    share: float
    repeats: int


def plan(
    costs: Sequence[Cost], folds: int, repeats: int, seconds: float, fewest_share: float = FEWEST_STEPS_SHARE
) -> Plan:
    """As many repeats as possible with `fewest_share` of each recipe's steps, and as large a share as then fits.

    The share is the same for all recipes, networks and references, and there is always one repeat.

    Args:
        costs: One per recipe.
        folds: Trainings of a recipe in a repeat.
        repeats: The number of repeats that the user asks for.
        seconds: The time for everything.
        fewest_share: Repeats are given up before recipes get less than this share of their steps.
    """
    scoring = sum(cost.score for cost in costs)
    for fewer in range(repeats, 0, -1):
        share = _largest_share(costs, (PLANNED * seconds / fewer - scoring) / folds)
        if share >= fewest_share:
            return Plan(share, fewer)
    return Plan(share, 1)


def _largest_share(costs: Sequence[Cost], seconds: float) -> float:
    """The largest share of its own steps with which one training of each recipe fits into the time; 0 if none does."""
    stepping = sum(cost.step * cost.own_steps for cost in costs)
    left = seconds - sum(cost.start for cost in costs)
    # Times are sums of many terms: a share that is short of the whole by a rounding error is the whole.
    return float(np.clip(round(left / stepping, 9), 0.0, 1.0)) if stepping else float(left >= 0)


def seconds_for_verdicts(costs: Sequence[Cost], folds: int, repeats: int) -> float:
    """The shortest time for which `plan` allows verdicts on single remedies: `FEWEST_STEPS_SHARE` of each recipe's
    steps, on as few repeats as make `FEWEST_SPLITS` splits."""
    fewest = min(repeats, -(-FEWEST_SPLITS // folds))
    one = sum(cost.start + FEWEST_STEPS_SHARE * cost.step * cost.own_steps for cost in costs)
    return fewest * (folds * one + sum(cost.score for cost in costs)) / PLANNED / (1 - MEASURING_SHARE)


def course_of_given_steps(baseline: Recipe, validation: RepeatedCrossValidation) -> Course:
    """The course of a baseline whose steps are given: its `epochs`, or a reference's own rounds, may ask for more."""
    if baseline.steps is None or (baseline.epochs is None and baseline.reference is None):
        return Course()
    return Course.of_steps(baseline.steps, _trainer(baseline.updated(steps=None), validation).own_steps)


def with_fastest_placement(baseline: Recipe, validation: RepeatedCrossValidation, seconds: float) -> Recipe:
    """The baseline with the precision and memory layout of the shortest steps; all other networks get the same.

    Args:
        baseline: The recipe to measure where it leaves its precision open.
        validation: Its first part is trained on.
        seconds: The time for the whole comparison, of which a small share is used.
    """
    if baseline.precision != "auto":
        return baseline
    trainer = _trainer(baseline, validation)
    if not isinstance(trainer, NetworkTrainer):
        return baseline.updated(precision="float32")
    fastest, _ = trainer.fastest(min(MEASURING_SHARE * seconds, LONGEST_MEASUREMENT))
    return baseline.updated(precision=fastest.precision, channels_last=fastest.channels_last)


def measure(recipes: Mapping[str, Recipe], validation: RepeatedCrossValidation, seconds: float) -> dict[str, Cost]:
    """What a training of each recipe takes, and its scoring; generators of synthetic rows are planned first.

    Args:
        recipes: Name -> recipe.
        validation: Its first part is trained on.
        seconds: The time for the whole comparison, of which a small share is used.

    Raises:
        DataError: The baseline cannot be trained. Any other recipe that cannot be trained is left out: its own training
            will tell the reason.
    """
    plan_generators(recipes, validation, seconds)
    each = float(np.clip(MEASURING_SHARE * seconds / len(recipes), SHORTEST_MEASUREMENT, LONGEST_MEASUREMENT))
    costs: dict[str, Cost] = {}
    baseline = recipes[BASELINE]
    score = scoring_seconds(baseline, validation)
    for name, recipe in recipes.items():
        if name in validation.failed:
            continue
        same = (recipe.calibration, recipe.decision) == (baseline.calibration, baseline.decision)
        try:
            cost = cost_of(recipe, validation, each)
            costs[name] = replace(cost, score=score if same else scoring_seconds(recipe, validation))
        except DataError:
            if name == BASELINE:
                raise
    return costs


def cost_of(recipe: Recipe, validation: RepeatedCrossValidation, seconds: float) -> Cost:
    """What a training of this recipe on the first part takes; its steps are measured for about `seconds`."""
    start = time.monotonic()
    trainer = _trainer(recipe, validation)
    built = time.monotonic() - start
    if not isinstance(trainer, NetworkTrainer):
        return _reference_cost(recipe, trainer.own_steps, validation)
    _, step = trainer.fastest(seconds)
    held_out = validation.parts(0)[0][1]
    # A pretraining is shortened as the training is.
    step = step / STEPPING_SHARE + trainer.pretraining_seconds(validation.folds) / trainer.own_steps
    return Cost(built + len(held_out) * trainer.seconds_per_row(), step, trainer.own_steps)


def _reference_cost(recipe: Recipe, own_rounds: int, validation: RepeatedCrossValidation) -> Cost:
    """What a reference takes, by trainings of few and of more rounds."""
    few, more = MEASURED_ROUNDS
    _reference_seconds(recipe, validation, 1)  # the first training of all also loads the library
    short, long = (_reference_seconds(recipe, validation, rounds) for rounds in MEASURED_ROUNDS)
    per_round = max(long - short, 0.0) / (more - few)
    return Cost(max(short - per_round * few, 0.0), per_round, own_rounds)


def _reference_seconds(recipe: Recipe, validation: RepeatedCrossValidation, rounds: int) -> float:
    """Seconds to prepare and train a reference on the first part with this number of rounds, and to predict its
    held-out rows."""
    start = time.monotonic()
    planned = recipe.updated(steps=rounds, precision="float32")
    trained = _trainer(planned, validation).run(TrainingPlan(planned), lambda progress: False)
    held_out = validation.train.take(validation.parts(0)[0][1])
    held_outputs.outputs_of(Member.of(planned, trained), held_out, validation.device)
    return time.monotonic() - start


def _trainer(recipe: Recipe, validation: RepeatedCrossValidation) -> Trainer:
    """The trainer of a recipe on the first part."""
    learned, _ = validation.parts(0)[0]
    return trainer_of(validation.planned(recipe), validation.splits, learned, 0, validation.device)


def scoring_seconds(recipe: Recipe, validation: RepeatedCrossValidation) -> float:
    """Seconds to calibrate, decide and score one repeat, measured with random outputs."""
    rng, train, parts = np.random.default_rng(0), validation.train, validation.parts(0)
    prepared, _ = prepare.fit(train.take(parts[0][0]), recipe.seed)
    models = CrossFit(recipe, [_untrained(train, prepared)] * len(parts), [held for _, held in parts])
    held = held_outputs.join(
        [
            held_outputs.of_rows(train, rows, _random_outputs(train.take(rows), rng), place)
            for place, rows in enumerate(models.held_rows)
        ]
    )
    start = time.monotonic()
    found = assess(models, held, validation.splits, validation.positive)
    for metric in validation.metrics:
        found.values(metric, train, validation.positive)
    return time.monotonic() - start


def _untrained(train: Dataset, prepared: Prepared) -> Trained:
    """Stands for a model whose training left the prior as it was; only its outputs are missing."""
    return Trained(nn.Identity(), prepared, np.ones(max(train.n_classes, 1)), [])


def _random_outputs(rows: Dataset, rng: np.random.Generator) -> np.ndarray:
    """``(n, n_outputs)`` outputs that agree with the truth a little."""
    assert rows.y is not None
    truth = rows.y[:, None] if rows.task == "regression" else np.eye(rows.n_classes)[rows.codes]
    outputs: np.ndarray = truth + rng.normal(size=truth.shape)
    return outputs

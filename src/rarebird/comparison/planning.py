"""How long the trainings of a comparison take, and so how many steps and repeats a budget allows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rarebird.comparison.repeated_splits import BASELINE, Repeats
from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset
from rarebird.evaluation.cross_validate import Part, assess, part_of
from rarebird.recipe.recipe import Recipe
from rarebird.training.cross_fit import bench_of
from rarebird.training.network_trainer import Bench
from rarebird.training.reference_trainer import ReferenceBench

# Share of the time that the measurement may take; for each recipe a bench is asked for the steps of so many seconds, of
# which it measures some hundredths.
MEASURING_SHARE, MEASURED_PART = 0.06, 0.03
SHORTEST_PROBE, LONGEST_PROBE = 1.0, 20.0
# A network that is trained for less than this share of its course says little of what a remedy does to it; fewer
# repeats are better then.
FEWEST_OF_COURSE = 0.25
# Share of the time that is planned for, so that a machine that slows down a little costs no repeat.
PLANNED = 0.9
# Rounds of a reference, whose preparation takes longer than a few of them.
ROUNDS = (5, 25)


@dataclass(frozen=True)
class Cost:
    """What one training takes.

    Attributes:
        start: Seconds however many steps there are: preparation, resampling, prediction; all of a reference.
        step: Seconds of an optimizer step.
        course: Steps that the recipe asks for.
        score: Seconds to calibrate, decide and score a repeat.
    """

    start: float
    step: float
    course: int
    score: float = 0.0


@dataclass(frozen=True)
class Plan:
    """What the time allows: optimizer steps of each network at most, and splits with parts of their own."""

    steps: int
    repeats: int


def plan(costs: Sequence[Cost], folds: int, repeats: int, seconds: float, fewest: float = FEWEST_OF_COURSE) -> Plan:
    """As many repeats as leave each network a fair part of its course, and at least one; then as many steps as fit.

    Args:
        costs: Of each recipe.
        folds: Trainings of a recipe in a repeat.
        repeats: As many as are asked for.
        seconds: For all of it.
        fewest: The fair part.
    """
    course, scoring = max(cost.course for cost in costs), sum(cost.score for cost in costs)
    for fewer in range(repeats, 0, -1):
        steps = _steps(costs, course, (PLANNED * seconds / fewer - scoring) / folds)
        if steps >= fewest * course:
            return Plan(steps, fewer)
    return Plan(max(steps, 1), 1)


def _steps(costs: Sequence[Cost], course: int, seconds: float) -> int:
    """The most steps, up to the longest course, with which one training of each recipe fits; 0 where none does."""
    low, high = 0, course
    while low < high:
        middle = (low + high + 1) // 2
        fits = sum(cost.start + cost.step * min(middle, cost.course) for cost in costs) <= seconds
        low, high = (middle, high) if fits else (low, middle - 1)
    return low


def placed(baseline: Recipe, repeats: Repeats, seconds: float) -> Recipe:
    """The baseline with the precision and memory layout that a short measurement finds best, which then hold for all
    networks."""
    if baseline.precision != "auto":
        return baseline
    bench = _bench(baseline, repeats)
    laid = bench.lay_out(time.monotonic() + min(MEASURING_SHARE * seconds / MEASURED_PART, LONGEST_PROBE), 1)
    return baseline.updated(precision=laid.precision, channels_last=laid.channels_last)


def measure(recipes: Mapping[str, Recipe], repeats: Repeats, seconds: float) -> dict[str, Cost]:
    """What a training of each recipe takes, and its scoring.

    Args:
        recipes: Name -> recipe.
        repeats: Whose first part is trained on.
        seconds: That are left for everything; a small part of them is used.

    Raises:
        DataError: The baseline cannot be trained. Another recipe that cannot is left out; its own training will say
            why.
    """
    probe = float(np.clip(MEASURING_SHARE * seconds / len(recipes) / MEASURED_PART, SHORTEST_PROBE, LONGEST_PROBE))
    costs: dict[str, Cost] = {}
    plain = recipes[BASELINE]
    scored = scoring_seconds(plain, repeats)
    for name, recipe in recipes.items():
        same = (recipe.calibration, recipe.decision) == (plain.calibration, plain.decision)
        try:
            cost = cost_of(recipe, repeats, probe)
            costs[name] = replace(cost, score=scored if same else scoring_seconds(recipe, repeats))
        except DataError:
            if name == BASELINE:
                raise
    return costs


def cost_of(recipe: Recipe, repeats: Repeats, probe: float) -> Cost:
    """What a training of this recipe on the first part takes, by a bench that is asked what fits into `probe`
    seconds."""
    if recipe.reference is not None:
        return _reference_cost(recipe, repeats)
    start = time.monotonic()
    bench = _bench(recipe, repeats)
    built = time.monotonic() - start
    course = bench.lay_out(None, 1).steps
    bench.recipe = recipe.updated(steps=None, epochs=None)
    steps = bench.lay_out(time.monotonic() + probe, 1).steps
    assert course is not None
    assert steps is not None
    return Cost(built + len(repeats.parts(0)[0][1]) * bench.seconds_per_row(), probe / steps, course)


def _reference_cost(recipe: Recipe, repeats: Repeats) -> Cost:
    """What a reference takes, by trainings of few and of some more rounds; the first one of all also loads its
    library."""
    out = repeats.parts(0)[0][1]
    rounds, seconds = _bench(recipe, repeats).lay_out(None, 1).steps, []
    assert rounds is not None
    for few in (1, *ROUNDS):
        start = time.monotonic()
        bench = _bench(recipe, repeats)
        bench.recipe = recipe.updated(steps=few, precision="float32")
        part_of(bench.run(None, (), lambda progress: False), repeats.train, out, repeats.device)
        seconds.append(time.monotonic() - start)
    fewer, more = ROUNDS
    each = max(seconds[2] - seconds[1], 0.0) / (more - fewer)
    return Cost(seconds[2] + each * max(rounds - more, 0), 0.0, 1)


def _bench(recipe: Recipe, repeats: Repeats) -> Bench | ReferenceBench:
    """Where a recipe is trained on the first part."""
    fit, _ = repeats.parts(0)[0]
    return bench_of(recipe, repeats.train, fit, None, 0, repeats.device)


def scoring_seconds(recipe: Recipe, repeats: Repeats) -> float:
    """Seconds to calibrate, decide and score one repeat, by outputs drawn at random."""
    rng, train = np.random.default_rng(0), repeats.train
    parts = [
        Part(out, _drawn(train.take(out), rng), np.ones(max(train.n_classes, 1)), 0.0) for _, out in repeats.parts(0)
    ]
    start = time.monotonic()
    judged = assess(recipe, train, parts, repeats.positive)
    for metric in repeats.metrics:
        judged.values(metric, train, repeats.positive)
    return time.monotonic() - start


def _drawn(rows: Dataset, rng: np.random.Generator) -> np.ndarray:
    """``(n, n_outputs)`` outputs that know a little of the truth."""
    assert rows.y is not None
    truth = rows.y[:, None] if rows.task == "regression" else np.eye(rows.n_classes)[rows.codes]
    drawn: np.ndarray = truth + rng.normal(size=truth.shape)
    return drawn

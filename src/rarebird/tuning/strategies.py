"""Which recipe is tried next, and which trial ends early: Optuna's samplers and pruners under our names.

A sampler depends on the search's seed and the trial's place alone and is made anew for each trial, so that a resumed
search proposes the same recipes as one without interruption.

The default pruner is ``none``. Cross-fitting is for few rows, where the value over two or three parts is a poor
estimate of the value over all: a search with pruning saves time but sometimes gives up a good recipe, and what it saves
is at most the time of the parts that were left.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Literal, get_args

from rarebird.core.checks import DataError, nearest
from rarebird.slots.ranges import Choice, Int
from rarebird.tuning.space import Space

if TYPE_CHECKING:
    import optuna

Strategy = Literal["grid", "random", "tpe", "gaussian_process"]
STRATEGIES: tuple[str, ...] = get_args(Strategy)
# A space with at most this many points is tried completely; a Gaussian process can learn at most this many ranges from
# few trials.
SMALL_GRID, FEW_DIMENSIONS = 30, 6

PRUNERS = ("none", "median", "halving")
# No trial is pruned before this many parts have a value: one part has few rows, and no other part's rows to calibrate
# it with.
FIRST_PARTS = 2
# Number of finished trials before others are compared with their median.
FIRST_TRIALS = 5


def choose(strategy: str, space: Space, trials: int | None) -> tuple[Strategy, str]:
    """The strategy, and why it was chosen.

    Args:
        strategy: One of `STRATEGIES`, or ``auto``.
        space: The recipes to search.
        trials: The number of trials; None: as many as the time allows.

    Raises:
        DataError: There is no such strategy.
    """
    if strategy in STRATEGIES:
        return strategy, f"{strategy}, as asked."  # type: ignore[return-value]
    if strategy != "auto":
        raise DataError(f"There is no strategy {strategy!r}; {nearest(strategy, ('auto', *STRATEGIES))}")
    dimensions = space.dimensions()
    discrete = all(isinstance(one.where, Choice) for one in dimensions)
    if discrete and space.size(1) <= min(SMALL_GRID, trials or SMALL_GRID):
        return "grid", f"grid: the space has {space.size(1)} recipes, and all of them can be tried."
    mixed = any(isinstance(one.where, Choice | Int) or one.under for one in dimensions)
    if not mixed and len(dimensions) <= FEW_DIMENSIONS:
        ranges = "1 continuous range" if len(dimensions) == 1 else f"{len(dimensions)} continuous ranges"
        return "gaussian_process", f"gaussian_process: few trials are enough to learn about {ranges}."
    return (
        "tpe",
        "tpe: the space is mixed, conditional or has many ranges. No strategy promises the best recipe of all.",
    )


def sampler(strategy: Strategy, seed: int, place: int, startup: int) -> optuna.samplers.BaseSampler:
    """The sampler of one trial.

    Args:
        strategy: Any but ``grid``, whose points are listed and not sampled.
        seed: Of the search.
        place: The trial's place, as in `resumable.places`.
        startup: Number of random trials before a model proposes the next ones.
    """
    import numpy as np
    import optuna

    own = int(np.random.SeedSequence([seed, place]).generate_state(1)[0])
    with warnings.catch_warnings():
        # The multivariate and grouped forms are marked experimental; Optuna's own guide recommends them for conditional
        # spaces.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if strategy == "tpe":
            return optuna.samplers.TPESampler(
                n_startup_trials=startup, multivariate=True, group=True, constant_liar=True, seed=own
            )
        if strategy == "gaussian_process":
            return optuna.samplers.GPSampler(n_startup_trials=startup, seed=own, deterministic_objective=False)
    return optuna.samplers.RandomSampler(seed=own)


def check_pruner(name: str) -> None:
    """Refuse a name that is not in `PRUNERS`.

    Raises:
        DataError: There is no such pruner.
    """
    if name not in PRUNERS:
        raise DataError(f"There is no pruner {name!r}; {nearest(name, PRUNERS)}")


def can_prune(name: str, parts: int) -> bool:
    """Whether a pruner can end a trial with this number of parts before its last part."""
    return name != "none" and parts > FIRST_PARTS


def pruner(name: str) -> optuna.pruners.BasePruner:
    """The pruner with this name.

    ``median`` ends a trial whose value after some parts is worse than the median of the finished trials after the same
    number of parts. ``halving`` (Li et al. 2020, ASHA) continues about the best half of the trials after 2, 4, 8 parts.

    Raises:
        DataError: There is no such pruner.
    """
    from optuna import pruners

    check_pruner(name)
    if name == "median":
        return pruners.MedianPruner(n_startup_trials=FIRST_TRIALS, n_warmup_steps=FIRST_PARTS)
    if name == "halving":
        return pruners.SuccessiveHalvingPruner(min_resource=FIRST_PARTS, reduction_factor=2)
    return pruners.NopPruner()

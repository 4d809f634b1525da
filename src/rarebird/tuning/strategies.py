"""Who proposes the next trial: Optuna's samplers behind our names, seeded by the search's seed and the trial's number.

A sampler that is made anew for each trial from these two alone proposes the same in a resumed search as in an
uninterrupted one.
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
# Few enough points to try them all; few enough dimensions for a Gaussian process to learn their lengths.
SMALL_GRID, FEW_DIMENSIONS = 30, 6


def choose(strategy: str, space: Space, trials: int | None) -> tuple[Strategy, str]:
    """The strategy, and why it was chosen.

    Args:
        strategy: One of `STRATEGIES`, or ``auto``.
        space: What is searched.
        trials: How many trials there will be; None: as many as the time allows.

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
        return (
            "gaussian_process",
            f"gaussian_process: {len(dimensions)} continuous ranges, of which few trials say much.",
        )
    return (
        "tpe",
        "tpe: the space is mixed, conditional or has many ranges. No strategy promises the best recipe of all.",
    )


def sampler(strategy: Strategy, seed: int, number: int, startup: int) -> optuna.samplers.BaseSampler:
    """The sampler of one trial.

    Args:
        strategy: Not ``grid``, whose points are enumerated.
        seed: Of the search.
        number: Of the trial.
        startup: Trials that explore at random before a model is asked.
    """
    import numpy as np
    import optuna

    own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    with warnings.catch_warnings():
        # The multivariate and grouped forms are marked experimental; they are what Optuna's own guide recommends for
        # conditional spaces.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if strategy == "tpe":
            return optuna.samplers.TPESampler(
                n_startup_trials=startup, multivariate=True, group=True, constant_liar=True, seed=own
            )
        if strategy == "gaussian_process":
            return optuna.samplers.GPSampler(n_startup_trials=startup, seed=own, deterministic_objective=False)
    return optuna.samplers.RandomSampler(seed=own)

"""A search that can be killed and resumed: each trial that counts has a place, and its recipe depends on the place.

Optuna numbers every trial that was ever begun. A trial that a killed process left unfinished counts as never begun
(it is *void*), and the next trial takes its place. Place and seed determine what is proposed at random or from a grid,
whatever the number of workers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from rarebird.tuning import strategies
from rarebird.tuning.driver_storage import PLACE, WORKER

if TYPE_CHECKING:
    import optuna

# The user attribute of a trial that says why it has no value.
REASON = "reason"
# Whether the driver of a name is alive.
IsAlive = Callable[[str], bool]


def is_void(trial: optuna.trial.FrozenTrial, is_alive: IsAlive) -> bool:
    """Whether a trial counts as never begun: it is still waiting, its driver died, or it failed without a recorded
    reason."""
    if trial.state == TrialState.RUNNING:
        return is_dead(trial, is_alive)
    return trial.state == TrialState.WAITING or (trial.state == TrialState.FAIL and REASON not in trial.user_attrs)


def is_dead(trial: optuna.trial.FrozenTrial, is_alive: IsAlive) -> bool:
    """Whether the driver that records a trial has died; a trial that names none is of another program."""
    return WORKER in trial.user_attrs and not is_alive(str(trial.user_attrs[WORKER]))


def places(trials: Sequence[optuna.trial.FrozenTrial], is_alive: IsAlive) -> dict[int, int]:
    """Trial number -> place, for each trial that is not void.

    A trial has the place that is recorded with it. The others get the lowest free places in the order of their numbers;
    such a trial was just begun by another process, which is about to record the same place.
    """
    counted = [trial for trial in trials if not is_void(trial, is_alive)]
    recorded = {trial.number: int(trial.user_attrs[PLACE]) for trial in counted if PLACE in trial.user_attrs}
    taken = set(recorded.values())
    free = (place for place in itertools.count() if place not in taken)
    return recorded | {trial.number: next(free) for trial in counted if trial.number not in recorded}


class ResumableSampler(BaseSampler):
    """Proposes from the seed and a trial's place.

    Args:
        strategy: Which sampler proposes.
        seed: Of the search.
        startup: Number of random trials before a model proposes the next ones.
        grid: The points of a grid; empty for other strategies.
        is_alive: Tells which drivers are alive.
    """

    def __init__(
        self,
        strategy: strategies.Strategy,
        seed: int,
        startup: int,
        grid: Sequence[Mapping[str, Any]],
        is_alive: IsAlive,
    ) -> None:
        self.is_alive = is_alive
        self.strategy, self.seed, self.startup, self.grid = strategy, seed, startup, grid
        # The trial that was asked about last: number -> its place and its sampler.
        self._last: dict[int, tuple[int, BaseSampler]] = {}

    def place(self, study: optuna.Study, number: int) -> int:
        """The place of a running trial."""
        return self._place_and_sampler(study, number)[0]

    def infer_relative_search_space(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> dict[str, Any]:
        """As `optuna.samplers.BaseSampler` defines it."""
        return self._place_and_sampler(study, trial.number)[1].infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: optuna.trial.FrozenTrial, search_space: dict[str, Any]
    ) -> dict[str, Any]:
        """As `optuna.samplers.BaseSampler` defines it."""
        return self._place_and_sampler(study, trial.number)[1].sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: optuna.trial.FrozenTrial, param_name: str, param_distribution: Any
    ) -> Any:
        """As `optuna.samplers.BaseSampler` defines it; for a grid, the value of the grid's point."""
        place, sampler = self._place_and_sampler(study, trial.number)
        if self.grid:
            return self.grid[place % len(self.grid)][param_name]
        return sampler.sample_independent(study, trial, param_name, param_distribution)

    def _place_and_sampler(self, study: optuna.Study, number: int) -> tuple[int, BaseSampler]:
        if number not in self._last:
            # Cached, as in Optuna's own samplers: the sampler that is asked next then does not read the trials again.
            trials = study._get_trials(deepcopy=False, use_cache=True)
            for left in trials:
                if left.state == TrialState.RUNNING and is_dead(left, self.is_alive):
                    # Samplers take a running trial for a bad one, so as not to propose it twice; a dead one must not
                    # count like that.
                    study.tell(left.number, state=TrialState.FAIL)
            place = places(trials, self.is_alive)[number]
            self._last = {number: (place, strategies.sampler(self.strategy, self.seed, place, self.startup))}
        return self._last[number]


class ResumablePruner(BasePruner):
    """A pruner that ignores void trials, so that what a killed process left behind changes no decision."""

    def __init__(self, inner: BasePruner, is_alive: IsAlive) -> None:
        self.inner, self.is_alive = inner, is_alive

    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        """As `optuna.pruners.BasePruner` defines it."""
        return self.inner.prune(StudyWithoutVoidTrials(study, self.is_alive), trial)  # type: ignore[arg-type]


class StudyWithoutVoidTrials:
    """An Optuna study whose void trials cannot be seen."""

    def __init__(self, study: optuna.Study, is_alive: IsAlive) -> None:
        self._study, self._is_alive = study, is_alive

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    def get_trials(self, deepcopy: bool = True, states: Any = None) -> list[optuna.trial.FrozenTrial]:
        """As in `optuna.Study`, without void trials."""
        return [trial for trial in self._study.get_trials(deepcopy, states) if not is_void(trial, self._is_alive)]

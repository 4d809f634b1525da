"""A trial's place among those that count, by which it is proposed: a search that was killed goes on as if it had not
been.

A number is given to every trial that Optuna ever began. What a killed process left half-done counts as never begun, and
its place is the next trial's: together with the search's seed, the place says what is proposed at random or from a
grid, however many workers there are.
"""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from rarebird.tuning import strategies
from rarebird.tuning.storage import WORKER, worker

if TYPE_CHECKING:
    import optuna

PLACE, REASON = "place", "reason"


def is_void(trial: optuna.trial.FrozenTrial) -> bool:
    """Whether a trial counts as never begun: nobody has taken it, its process died, or it failed without a reason of
    its own."""
    if trial.state == TrialState.RUNNING:
        return is_dead(trial)
    return trial.state == TrialState.WAITING or (trial.state == TrialState.FAIL and REASON not in trial.user_attrs)


def is_dead(trial: optuna.trial.FrozenTrial) -> bool:
    """Whether a trial's process was of this machine and is no more; of another machine nobody here can tell."""
    host, _, process = trial.user_attrs.get(WORKER, worker()).rpartition(":")
    if host != socket.gethostname() or int(process) == os.getpid():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def places(trials: Sequence[optuna.trial.FrozenTrial]) -> dict[int, int]:
    """Number -> place of each trial that counts: the one that it was given, or, in the order of numbers, the lowest
    that none has.

    A trial that was begun but does not say its place yet (another process is at it) has the one that it is about to be
    given.
    """
    standing = [trial for trial in trials if not is_void(trial)]
    given = {trial.number: int(trial.user_attrs[PLACE]) for trial in standing if PLACE in trial.user_attrs}
    taken = set(given.values())
    left = (place for place in itertools.count() if place not in taken)
    return given | {trial.number: next(left) for trial in standing if trial.number not in given}


class Placed(BaseSampler):
    """Proposes by the seed and a trial's place.

    Args:
        strategy: Who proposes.
        seed: Of the search.
        startup: Trials that explore at random first.
        grid: The points of a grid; empty for other strategies.
    """

    def __init__(
        self, strategy: strategies.Strategy, seed: int, startup: int, grid: Sequence[Mapping[str, Any]]
    ) -> None:
        self.strategy, self.seed, self.startup, self.grid = strategy, seed, startup, grid
        self._known: dict[int, tuple[int, BaseSampler]] = {}

    def place(self, study: optuna.Study, number: int) -> int:
        """The place of a trial that is under way."""
        return self._of(study, number)[0]

    def infer_relative_search_space(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> dict[str, Any]:
        """As Optuna asks for."""
        return self._of(study, trial.number)[1].infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: optuna.trial.FrozenTrial, search_space: dict[str, Any]
    ) -> dict[str, Any]:
        """As Optuna asks for."""
        return self._of(study, trial.number)[1].sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: optuna.trial.FrozenTrial, param_name: str, param_distribution: Any
    ) -> Any:
        """As Optuna asks for; of a grid, the point's own value."""
        place, sampler = self._of(study, trial.number)
        if self.grid:
            return self.grid[place % len(self.grid)][param_name]
        return sampler.sample_independent(study, trial, param_name, param_distribution)

    def _of(self, study: optuna.Study, number: int) -> tuple[int, BaseSampler]:
        if number not in self._known:
            # As Optuna's own samplers do it: what is read here once, the sampler behind this one need not read again.
            trials = study._get_trials(deepcopy=False, use_cache=True)
            for left in trials:
                if left.state == TrialState.RUNNING and is_dead(left):
                    # Before the sampler is asked, which takes a trial that is under way for a bad one, so as not to
                    # propose it twice.
                    study.tell(left.number, state=TrialState.FAIL)
            place = places(trials)[number]
            self._known = {number: (place, strategies.sampler(self.strategy, self.seed, place, self.startup))}
        return self._known[number]


class Standing(BasePruner):
    """A pruner that compares with the trials that count alone, so that what a killed process left changes no
    decision."""

    def __init__(self, inner: BasePruner) -> None:
        self.inner = inner

    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        """As Optuna asks for."""
        return self.inner.prune(_Counting(study), trial)  # type: ignore[arg-type]


class _Counting:
    """A study without its void trials."""

    def __init__(self, study: optuna.Study) -> None:
        self._whole = study

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)

    def get_trials(self, deepcopy: bool = True, states: Any = None) -> list[optuna.trial.FrozenTrial]:
        return [trial for trial in self._whole.get_trials(deepcopy, states) if not is_void(trial)]

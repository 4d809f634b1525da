"""A search's trials on disk: each finished trial stands in the storage before the next one begins, so that nothing is lost.

The storage is Optuna's own, opened by optuna-dashboard as it is: a SQLite file in the run's folder, or a PostgreSQL address that several
machines share.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from rarebird.checks import DataError
from rarebird.ranges import Choice, Float, Range
from rarebird.recipe import Recipe
from rarebird.search import strategies
from rarebird.search.space import Space

if TYPE_CHECKING:
    import optuna

STUDY = "rarebird"
DATABASE = "trials.db"
# With the journal that a killed process leaves, by which SQLite puts right what was half-written.
FILES = (DATABASE, f"{DATABASE}-journal")
# Points that a grid puts on each number.
GRID_POINTS = 5


@dataclass(frozen=True)
class Finished:
    """A finished trial.

    Attributes:
        number: In the order in which they were begun.
        value: The metric, as the search judged it.
        recipe: What was trained.
        values: Name -> value of each range that was asked for.
        notes: What else was recorded: values per part, the training loss, seconds.
    """

    number: int
    value: float
    recipe: Recipe
    values: Mapping[str, Any]
    notes: Mapping[str, Any]


class Study:
    """Trials of one space under one metric.

    Args:
        storage: A folder, in which `DATABASE` is kept, or a database's address.
        space: What is searched.
        larger_is_better: The metric's direction.
        strategy: Who proposes.
        seed: Of the search.
        startup: Trials that explore at random first.
        identity: What must be the same for trials to be comparable (data, metric, folds, space); another one's storage is refused.
    """

    def __init__(
        self,
        storage: Path | str,
        space: Space,
        *,
        larger_is_better: bool,
        strategy: strategies.Strategy,
        seed: int,
        startup: int,
        identity: Mapping[str, Any],
    ) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.space = space
        self._grid = space.grid(GRID_POINTS) if strategy == "grid" else []
        self._study = optuna.create_study(
            storage=_storage(storage),
            study_name=STUDY,
            direction="maximize" if larger_is_better else "minimize",
            load_if_exists=True,
            sampler=_Placed(strategy, seed, startup, self._grid),
        )
        _check_identity(self._study, identity)

    @property
    def grid_size(self) -> int:
        """Points of the grid; 0 for other strategies."""
        return len(self._grid)

    def begun(self) -> int:
        """Trials that are finished, were found to give no value, or are under way in a process that lives."""
        return sum(not _is_void(trial) for trial in self._study.get_trials(deepcopy=False))

    def finished(self) -> list[Finished]:
        """All finished trials in the order of their numbers."""
        trials = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return [_finished(trial) for trial in sorted(trials, key=lambda trial: trial.number)]

    def last_reason(self) -> str:
        """Why the last trial that gave no value gave none; empty where there is none."""
        failed = [trial for trial in self._study.get_trials(deepcopy=False, states=(TrialState.FAIL,)) if "reason" in trial.user_attrs]
        return str(failed[-1].user_attrs["reason"]) if failed else ""

    def ask(self) -> Asked:
        """Begin a trial. What a killed process left half-done counts as never begun, so that a resumed search proposes it again."""
        for left in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if _is_dead(left):
                self._study.tell(left.number, state=TrialState.FAIL)
        # Enqueued with its worker's name, which a process that is killed right after could not leave behind any more; another process may
        # take it first, hence the second time.
        self._study.enqueue_trial({}, user_attrs={"worker": _worker()})
        trial = self._study.ask()
        trial.set_user_attr("worker", _worker())
        return Asked(self._study, trial, self.space.draw(lambda name, where: suggested(trial, name, where)))


@dataclass(frozen=True)
class Asked:
    """A trial that has begun."""

    study: optuna.Study
    trial: optuna.Trial
    recipe: Recipe

    def tell(self, value: float, notes: Mapping[str, Any]) -> None:
        """Record the trial's value; it survives whatever comes after."""
        self.trial.set_user_attr("recipe", self.recipe.to_toml())
        self.trial.set_user_attr("notes", json.dumps(dict(notes), allow_nan=True))
        self.study.tell(self.trial, value)

    def fail(self, reason: str) -> None:
        """Record that the trial gave no value, and why."""
        self.trial.set_user_attr("reason", reason)
        self.study.tell(self.trial, state=TrialState.FAIL)


class _Placed(BaseSampler):
    """Proposes by the seed and a trial's place among those that count, so that a resumed search goes on as if it had not been killed."""

    def __init__(self, strategy: strategies.Strategy, seed: int, startup: int, grid: Sequence[Mapping[str, Any]]) -> None:
        self.strategy, self.seed, self.startup, self.grid = strategy, seed, startup, grid
        self._known: dict[int, tuple[int, BaseSampler]] = {}

    def infer_relative_search_space(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> dict[str, Any]:
        """As Optuna asks for."""
        return self._of(study, trial)[1].infer_relative_search_space(study, trial)

    def sample_relative(self, study: optuna.Study, trial: optuna.trial.FrozenTrial, search_space: dict[str, Any]) -> dict[str, Any]:
        """As Optuna asks for."""
        return self._of(study, trial)[1].sample_relative(study, trial, search_space)

    def sample_independent(self, study: optuna.Study, trial: optuna.trial.FrozenTrial, param_name: str, param_distribution: Any) -> Any:
        """As Optuna asks for; of a grid, the point's own value."""
        place, sampler = self._of(study, trial)
        if self.grid:
            return self.grid[place % len(self.grid)][param_name]
        return sampler.sample_independent(study, trial, param_name, param_distribution)

    def _of(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> tuple[int, BaseSampler]:
        if trial.number not in self._known:
            others = study.get_trials(deepcopy=False)
            place = sum(other.number < trial.number and not _is_void(other) for other in others)
            self._known = {trial.number: (place, strategies.sampler(self.strategy, self.seed, place, self.startup))}
        return self._known[trial.number]


def _storage(storage: Path | str) -> Any:
    import optuna

    if isinstance(storage, str):
        return storage
    storage.mkdir(parents=True, exist_ok=True)
    # Several processes may write one file: each waits for the other's lock rather than giving up.
    return optuna.storages.RDBStorage(f"sqlite:///{storage / DATABASE}", engine_kwargs={"connect_args": {"timeout": 60}})


def _worker() -> str:
    """Who runs a trial: machine and process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def _is_void(trial: optuna.trial.FrozenTrial) -> bool:
    """Whether a trial counts as never begun: nobody has taken it, its process died, or it failed without a reason of its own."""
    if trial.state == TrialState.RUNNING:
        return _is_dead(trial)
    return trial.state == TrialState.WAITING or (trial.state == TrialState.FAIL and "reason" not in trial.user_attrs)


def _is_dead(trial: optuna.trial.FrozenTrial) -> bool:
    """Whether a trial's process was of this machine and is no more; of another machine nobody here can tell."""
    host, _, process = trial.user_attrs.get("worker", _worker()).rpartition(":")
    if host != socket.gethostname() or int(process) == os.getpid():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _check_identity(study: optuna.Study, identity: Mapping[str, Any]) -> None:
    known = study.user_attrs.get("identity")
    if known is None:
        study.set_user_attr("identity", dict(identity))
        return
    odd = [name for name in identity if known.get(name) != identity[name]]
    if odd:
        raise DataError(
            f"The trials that are there were made with another {odd[0]}, so they cannot be gone on with; give another folder with --out."
        )


def suggested(trial: optuna.Trial, name: str, where: Range) -> Any:
    if isinstance(where, Choice):
        values: list[Any] = list(where.values)
        return trial.suggest_categorical(name, values)
    if isinstance(where, Float):
        return trial.suggest_float(name, where.low, where.high, log=where.log)
    return trial.suggest_int(name, where.low, where.high, log=where.log)


def _finished(trial: optuna.trial.FrozenTrial) -> Finished:
    assert trial.value is not None
    notes = json.loads(trial.user_attrs.get("notes", "{}"))
    return Finished(trial.number, trial.value, Recipe.from_toml(trial.user_attrs["recipe"]), trial.params, notes)

"""A search's trials on disk: each finished trial is written before the next one begins, so that nothing is lost.

The storage is Optuna's own, and optuna-dashboard opens it: a SQLite file in the run's folder, or a PostgreSQL address
that several machines share (`tuning.storage`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.trial import TrialState

from rarebird.core.checks import DataError
from rarebird.evaluation.search_history import SearchHistory
from rarebird.recipe.recipe import Recipe
from rarebird.slots.ranges import Choice, Float, Range
from rarebird.tuning import storage as storages
from rarebird.tuning import strategies
from rarebird.tuning.driver_storage import PLACE, WORKER
from rarebird.tuning.history import history_of
from rarebird.tuning.resumable import REASON, ResumablePruner, ResumableSampler, is_void
from rarebird.tuning.space import Space

if TYPE_CHECKING:
    import optuna

STUDY = "rarebird"
# The user attribute of the study that identifies what its trials have in common.
IDENTITY = "identity"
# The user attribute of a trial that holds all else that is recorded of it, and the recipe's key in it.
NOTES, RECIPE = "notes", "recipe"
# Points of a grid on each number.
GRID_POINTS = 5


@dataclass(frozen=True)
class FinishedTrial:
    """A finished trial.

    Attributes:
        number: Optuna's number, in the order in which trials were begun.
        value: The metric on held-out rows.
        recipe: The recipe that was trained.
        values: Name -> value of each range of the space that the recipe has.
        notes: What else was recorded: the metric of each part, the training loss, seconds.
    """

    number: int
    value: float
    recipe: Recipe
    values: Mapping[str, Any]
    notes: Mapping[str, Any]


class Study:
    """The trials of one space under one metric.

    Args:
        storage: A folder, which holds `storage.DATABASE`, or a database's address.
        space: The recipes to search.
        larger_is_better: The metric's direction.
        strategy: Which sampler proposes the trials.
        seed: Of the search.
        startup: Number of random trials before a model proposes the next ones.
        identity: What must be equal for trials to be comparable (data, metric, folds, space); a storage with another
            identity is refused.
        pruner: Which trials end early, one of `strategies.PRUNERS`.
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
        pruner: str = "none",
    ) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.space, self.larger_is_better, self.metric = space, larger_is_better, str(identity.get("metric", "value"))
        self._grid = space.grid(GRID_POINTS) if strategy == "grid" else []
        with storages.opening(storage) as self._storage:
            self._is_alive = self._storage.is_alive
            self._sampler = ResumableSampler(strategy, seed, startup, self._grid, self._is_alive)
            self._study = optuna.create_study(
                storage=self._storage,
                study_name=STUDY,
                direction="maximize" if larger_is_better else "minimize",
                load_if_exists=True,
                sampler=self._sampler,
                pruner=ResumablePruner(strategies.pruner(pruner), self._is_alive),
            )
            check_identity(self._study, identity)
        running = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        if any(trial.user_attrs.get(WORKER) != self._storage.drivers.name for trial in running):
            self._storage.drivers.settle()

    def close(self) -> None:
        """Close the storage."""
        storages.close(self._storage)

    @property
    def grid_size(self) -> int:
        """Points of the grid; 0 for other strategies."""
        return len(self._grid)

    def begun(self) -> int:
        """Number of trials that count: finished, pruned or failed, or running in a process that is alive."""
        return sum(not is_void(trial, self._is_alive) for trial in self._study.get_trials(deepcopy=False))

    def pruned(self) -> int:
        """Number of trials that were ended before their last part."""
        return len(self._study.get_trials(deepcopy=False, states=(TrialState.PRUNED,)))

    def remarks(self) -> list[str]:
        """Sentences for the user on how the storage served."""
        lost = getattr(self._storage, "seconds_lost", 0.0)
        return [f"The database of the trials did not answer for {lost:.0f} s; the search waited."] if lost else []

    def finished(self) -> list[FinishedTrial]:
        """All finished trials in the order of their numbers."""
        trials = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return [_finished(trial) for trial in sorted(trials, key=lambda trial: trial.number)]

    def history(self, metric: str, resumed: bool) -> SearchHistory | None:
        """The finished trials, for the report; None without any."""
        trials = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return history_of(trials, metric, self._study.direction.name == "MAXIMIZE", resumed)

    def last_reason(self) -> str:
        """Why the last failed trial failed; empty if none did."""
        failed = [
            trial
            for trial in self._study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
            if REASON in trial.user_attrs
        ]
        return str(failed[-1].user_attrs[REASON]) if failed else ""

    def ask(self, most: int | None = None) -> OpenTrial | None:
        """Begin a trial; None if this process and others have begun `most` trials already.

        Void trials do not count: a resumed search proposes their recipes again.
        """
        trial = self._study.ask()
        place = self._sampler.place(self._study, trial.number)
        if most is not None and place >= most:
            # Other processes have begun the last trials meanwhile; this one becomes void.
            self._study.tell(trial, state=TrialState.FAIL)
            return None
        trial.set_user_attr(PLACE, place)
        return OpenTrial(self._study, trial, self.space.draw(lambda name, where: suggested(trial, name, where)), place)


@dataclass(frozen=True)
class OpenTrial:
    """A trial that was begun and has no result yet.

    Attributes:
        study: Optuna's study.
        trial: Optuna's trial.
        recipe: The recipe to train.
        place: Its place among the trials that count.
    """

    study: optuna.Study
    trial: optuna.Trial
    recipe: Recipe
    place: int

    @property
    def number(self) -> int:
        """Optuna's number, in the order in which trials were begun."""
        return self.trial.number

    def tell(self, value: float, notes: Mapping[str, Any]) -> None:
        """Record the value; the trial is finished."""
        with self._unless_taken():
            self._note(notes)
            self.study.tell(self.trial, value)

    def report(self, parts: int, value: float) -> None:
        """Record the value over the first `parts` parts."""
        with self._unless_taken():
            self.trial.report(value, parts)

    def is_pruned(self) -> bool:
        """Whether the pruner ends the trial, given the values reported so far."""
        return self.trial.should_prune()

    def prune(self) -> None:
        """Record that the trial was ended by the pruner."""
        with self._unless_taken():
            self._note({})
            self.study.tell(self.trial, state=TrialState.PRUNED)

    def fail(self, reason: str) -> None:
        """Record that the trial has no value, and why."""
        with self._unless_taken():
            self.trial.set_user_attr(REASON, reason)
            self.study.tell(self.trial, state=TrialState.FAIL)

    def withdraw(self) -> None:
        """Make the trial void: it counts as never begun."""
        with self._unless_taken():
            self.study.tell(self.trial, state=TrialState.FAIL)

    @contextmanager
    def _unless_taken(self) -> Iterator[None]:
        """Nothing is recorded if another driver, which could not see this one for a while, has withdrawn the trial: it
        repeats it, and each trial is recorded once."""
        from optuna.exceptions import UpdateFinishedTrialError

        try:
            yield
        except (UpdateFinishedTrialError, ValueError):
            if self.study._storage.get_trial(self.trial._trial_id).state != TrialState.FAIL:
                raise

    def _note(self, notes: Mapping[str, Any]) -> None:
        # One attribute and not several: each is a transaction of its own.
        self.trial.set_user_attr(NOTES, json.dumps({RECIPE: self.recipe.to_toml(), **notes}, allow_nan=True))


def has_finished(folder: Path) -> bool:
    """Whether a folder's `storage.DATABASE` holds a trial that has ended with a value, or by the pruner."""
    import sqlite3

    file = folder / storages.DATABASE
    if not file.is_file():
        return False
    with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        try:
            query = "SELECT COUNT(*) FROM trials WHERE state IN ('COMPLETE', 'PRUNED')"
            return bool(connection.execute(query).fetchone()[0])
        except sqlite3.Error as error:
            # What cannot be read is not removed; without tables there is nothing.
            return "no such table" not in str(error)


def check_identity(study: optuna.Study, identity: Mapping[str, Any]) -> None:
    """Record what the trials of a study have in common, or check that it has not changed.

    Raises:
        DataError: The study's trials have another identity.
    """
    known = study.user_attrs.get(IDENTITY)
    if known is None:
        study.set_user_attr(IDENTITY, dict(identity))
        return
    changed = [name for name in identity if known.get(name) != identity[name]]
    if changed:
        raise DataError(
            f"The stored trials were made with another {changed[0]}, so the search cannot continue them; "
            "give another folder with --out."
        )


def suggested(trial: optuna.Trial, name: str, where: Range) -> Any:
    """The value that Optuna suggests for a range."""
    if isinstance(where, Choice):
        values: list[Any] = list(where.values)
        return trial.suggest_categorical(name, values)
    if isinstance(where, Float):
        return trial.suggest_float(name, where.low, where.high, log=where.log)
    return trial.suggest_int(name, where.low, where.high, log=where.log)


def _finished(trial: optuna.trial.FrozenTrial) -> FinishedTrial:
    assert trial.value is not None
    notes = json.loads(trial.user_attrs[NOTES])
    return FinishedTrial(trial.number, trial.value, Recipe.from_toml(notes.pop(RECIPE)), trial.params, notes)

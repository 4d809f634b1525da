"""A search's trials on disk: each finished trial stands in the storage before the next one begins, so that nothing is
lost.

The storage is Optuna's own, opened by optuna-dashboard as it is: a SQLite file in the run's folder, or a PostgreSQL
address that several machines share (`search.storage`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.trial import TrialState

from rarebird.core.checks import DataError
from rarebird.recipe.recipe import Recipe
from rarebird.slots.ranges import Choice, Float, Range
from rarebird.tuning import storage as storages
from rarebird.tuning import strategies
from rarebird.tuning.pruning import pruner as pruner_of
from rarebird.tuning.resumable import PLACE, REASON, Placed, Standing, is_dead, is_void
from rarebird.tuning.space import Space
from rarebird.tuning.storage import WORKER, worker

if TYPE_CHECKING:
    import optuna

STUDY = "rarebird"
NOTES, RECIPE = "notes", "recipe"
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
    """Trials of one space under one metric, until it is closed.

    Args:
        storage: A folder, in which `storage.DATABASE` is kept, or a database's address.
        space: What is searched.
        larger_is_better: The metric's direction.
        strategy: Who proposes.
        seed: Of the search.
        startup: Trials that explore at random first.
        identity: What must be the same for trials to be comparable (data, metric, folds, space); another one's storage
            is refused.
        pruner: Who ends a trial early, one of `pruning.PRUNERS`.
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
        self.space = space
        self._grid = space.grid(GRID_POINTS) if strategy == "grid" else []
        self._sampler = Placed(strategy, seed, startup, self._grid)
        self._storage = storages.opened(storage)
        self._study = optuna.create_study(
            storage=self._storage,
            study_name=STUDY,
            direction="maximize" if larger_is_better else "minimize",
            load_if_exists=True,
            sampler=self._sampler,
            pruner=Standing(pruner_of(pruner)),
        )
        try:
            check_identity(self._study, identity)
        except DataError:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the storage."""
        storages.close(self._storage)

    @property
    def grid_size(self) -> int:
        """Points of the grid; 0 for other strategies."""
        return len(self._grid)

    def begun(self) -> int:
        """Trials that are finished, were pruned or found to give no value, or are under way in a process that lives."""
        return sum(not is_void(trial) for trial in self._study.get_trials(deepcopy=False))

    def pruned(self) -> int:
        """Trials that were ended before their last part."""
        return len(self._study.get_trials(deepcopy=False, states=(TrialState.PRUNED,)))

    def is_shared(self) -> bool:
        """Whether a trial is under way in another process."""
        running = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        return any(not is_dead(trial) and trial.user_attrs.get(WORKER) != worker() for trial in running)

    def finished(self) -> list[Finished]:
        """All finished trials in the order of their numbers."""
        trials = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return [_finished(trial) for trial in sorted(trials, key=lambda trial: trial.number)]

    def last_reason(self) -> str:
        """Why the last trial that gave no value gave none; empty where there is none."""
        failed = [
            trial
            for trial in self._study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
            if REASON in trial.user_attrs
        ]
        return str(failed[-1].user_attrs[REASON]) if failed else ""

    def ask(self, most: int | None = None) -> Asked | None:
        """Begin a trial; None where `most` trials were begun already, by this process or others.

        What a killed process left half-done counts as never begun, so that a resumed search proposes it again.
        """
        trial = self._study.ask()
        place = self._sampler.place(self._study, trial.number)
        if most is not None and place >= most:
            # Other processes have begun the last ones. This one counts as never begun.
            self._study.tell(trial, state=TrialState.FAIL)
            return None
        trial.set_user_attr(PLACE, place)
        return Asked(self._study, trial, self.space.draw(lambda name, where: suggested(trial, name, where)), place)


@dataclass(frozen=True)
class Asked:
    """A trial that has begun.

    Attributes:
        recipe: What to train.
        place: Its place among the trials that count.
    """

    study: optuna.Study
    trial: optuna.Trial
    recipe: Recipe
    place: int

    @property
    def number(self) -> int:
        """In the order in which trials were begun."""
        return self.trial.number

    def tell(self, value: float, notes: Mapping[str, Any]) -> None:
        """Record the trial's value; it survives whatever comes after."""
        self._note(notes)
        self.study.tell(self.trial, value)

    def report(self, parts: int, value: float) -> None:
        """Record the value over so many parts."""
        self.trial.report(value, parts)

    def is_pruned(self) -> bool:
        """Whether what was reported so far says that the trial should end."""
        return self.trial.should_prune()

    def prune(self) -> None:
        """Record that the trial was ended by what it reported."""
        self._note({})
        self.study.tell(self.trial, state=TrialState.PRUNED)

    def fail(self, reason: str) -> None:
        """Record that the trial gave no value, and why."""
        self.trial.set_user_attr(REASON, reason)
        self.study.tell(self.trial, state=TrialState.FAIL)

    def withdraw(self) -> None:
        """Let the trial count as never begun."""
        self.study.tell(self.trial, state=TrialState.FAIL)

    def _note(self, notes: Mapping[str, Any]) -> None:
        # One attribute and not several: each is a transaction of its own.
        self.trial.set_user_attr(NOTES, json.dumps({RECIPE: self.recipe.to_toml(), **notes}, allow_nan=True))


def check_identity(study: optuna.Study, identity: Mapping[str, Any]) -> None:
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
    notes = json.loads(trial.user_attrs[NOTES])
    return Finished(trial.number, trial.value, Recipe.from_toml(notes.pop(RECIPE)), trial.params, notes)

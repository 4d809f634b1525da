"""The trials of a `fit` on disk: each result is written to the run's `trials.db`, and its networks to a folder, before
the next trial starts."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rarebird.automl import candidate_files
from rarebird.automl.candidate import LISTED, TOO_LATE, Candidate
from rarebird.automl.portfolio import PortfolioEntry
from rarebird.core.disk_space import is_full
from rarebird.data.dataset import Dataset
from rarebird.evaluation.search_history import SearchHistory
from rarebird.recipe.recipe import Recipe
from rarebird.tuning import storage as storages
from rarebird.tuning import strategies
from rarebird.tuning.history import history_of
from rarebird.tuning.resumable import REASON
from rarebird.tuning.space import Space
from rarebird.tuning.storage import DATABASE, FILES
from rarebird.tuning.study import check_identity, suggested

if TYPE_CHECKING:
    import optuna

log = logging.getLogger("rarebird")
Value = TypeVar("Value")

STUDY = "rarebird fit"
# The first proposals are drawn at random; later ones come from a model of the losses.
STARTUP = 8
NAME, ROLE, PARTIAL = "name", "role", "partial"
# Folder of the finished candidates, during a search.
CANDIDATES = "candidates"
SEARCH_FILES = (*FILES, f"{CANDIDATES}/")


def has_candidates(folder: Path) -> bool:
    """Whether a folder holds finished candidates of a search; a finished run has none."""
    files = folder / CANDIDATES
    finished = files.is_dir() and any(candidate.name.isdecimal() for candidate in files.iterdir())
    return finished and (folder / DATABASE).is_file()


class TrialLog:
    """Records the result of each entry, and proposes recipes of a space; must be closed with `close`.

    Attributes:
        notes: Sentences for the user on what could not be read or stored.

    Args:
        folder: The folder of `DATABASE` and `CANDIDATES`, owned by this process; an earlier search there is resumed.
        seed: Seed of the proposals.
        train: Training rows, for the prior and the target's name in a candidate's folder.
        identity: Values that must be equal for candidates to be comparable.

    Raises:
        DataError: The trials in the folder have another identity, or their file cannot be read.
    """

    def __init__(self, folder: Path, seed: int, train: Dataset, identity: Mapping[str, Any]) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.seed, self._train, self._files = seed, train, folder / CANDIDATES
        self.notes: list[str] = []
        self._files.mkdir(parents=True, exist_ok=True)
        with storages.opening(folder) as self._storage:
            self._study = optuna.create_study(
                storage=self._storage, study_name=STUDY, direction="minimize", load_if_exists=True
            )
            check_identity(self._study, identity)
            self._fail_interrupted()
        self._open: dict[str, optuna.Trial] = {}
        self._in_memory = False

    def close(self) -> None:
        """Close the database."""
        storages.close(self._storage)

    def propose(self, space: Space, name: str) -> tuple[Recipe, dict[str, Any]]:
        """The next recipe of a space by a tree-structured Parzen estimator, and the chosen values.

        Args:
            space: The ranges to search.
            name: The name of the entry for this recipe.
        """
        return self._while_there_is_space(lambda: self._proposed(space, name))

    def _proposed(self, space: Space, name: str) -> tuple[Recipe, dict[str, Any]]:
        trials = self._study.get_trials(deepcopy=False)
        # Other trials have no proposed values to learn from, but the sampler would count them as random ones.
        others = sum(not trial.params for trial in trials)
        self._study.sampler = strategies.sampler("tpe", self.seed, len(trials), STARTUP + others)
        trial = self._open[name] = self._study.ask()
        recipe = space.draw(lambda name, where: suggested(trial, name, where))
        return recipe, dict(trial.params)

    def record(self, entry: PortfolioEntry, candidate: Candidate) -> None:
        """Record a finished candidate. Its files are written first, so that every trial that the study lists as
        finished can be loaded."""
        notes = {"seconds": round(candidate.seconds, 3), "networks": len(candidate.models.trained)}

        def write() -> None:
            trial = self._trial_of(entry)
            trial.set_user_attr("recipe", candidate.models.recipe.to_toml())
            trial.set_user_attr("notes", json.dumps(notes))
            if not (entry.partial or self._in_memory):
                candidate_files.save(candidate, self._files / str(trial.number), self._train)
            self._study.tell(trial, candidate.loss)
            self._open.pop(entry.name, None)

        self._while_there_is_space(write)

    def drop(self, entry: PortfolioEntry, why: str) -> None:
        """Record that an entry was not trained on all parts, and why."""
        import optuna

        def write() -> None:
            trial = self._trial_of(entry)
            trial.set_user_attr(REASON, why)
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
            self._open.pop(entry.name, None)

        self._while_there_is_space(write)

    def release(self, candidate: Candidate) -> None:
        """Delete the networks of a candidate; keep its held-out predictions."""
        for trial in self._finished():
            if trial.user_attrs[NAME] == candidate.name:
                candidate_files.release(self._files / str(trial.number))

    def restored(self, device: str) -> list[Candidate]:
        """The candidates that an earlier process finished, in their order; one whose files are damaged is left out with
        a note, and its recipe is trained again where its turn comes."""
        found = []
        for trial in self._finished():
            place = self._files / str(trial.number)
            try:
                found.append(candidate_files.load(place, device))
            except Exception as error:  # whatever happened to the files
                why = (str(error).splitlines() or [type(error).__name__])[0]
                self.notes.append(
                    f"The finished trial {trial.user_attrs[NAME]!r} cannot be read ({type(error).__name__}: {why}); "
                    "the search resumed without it."
                )
                shutil.rmtree(place, ignore_errors=True)
        return found

    def left(self) -> dict[str, str]:
        """Name -> why, for portfolio entries that left the race in an earlier process, except for lack of time."""
        import optuna

        failed = self._study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.FAIL,))
        reasons = {
            trial.user_attrs[NAME]: trial.user_attrs.get(REASON)
            for trial in failed
            if trial.user_attrs.get(ROLE) in LISTED
        }
        return {str(name): str(why) for name, why in reasons.items() if why not in (None, TOO_LATE)}

    def history(self, resumed: bool) -> SearchHistory | None:
        """The finished trials, for the report; None without any.

        Args:
            resumed: Whether an earlier process ran some of them.
        """
        return history_of(self._finished(), "loss", False, resumed, lambda trial: str(trial.user_attrs[NAME]))

    def proposed(self) -> int:
        """The number of proposed recipes."""
        return sum(bool(trial.params) for trial in self._study.get_trials(deepcopy=False))

    def _while_there_is_space(self, work: Callable[[], Value]) -> Value:
        """Do some work on the disk; when it is full, and from then on, in memory: the search itself needs no disk."""
        try:
            return work()
        except Exception as error:
            if self._in_memory or not is_full(error):
                raise
            note = f"No space is left in {self._files.parent}: the search goes on in memory, and what finishes from now"
            self.notes.append(f"{note} on cannot be resumed.")
            log.warning(self.notes[-1])
        self._move_to_memory()
        return work()

    def _move_to_memory(self) -> None:
        """Go on with a copy of the study in memory; proposed recipes keep their values."""
        import optuna

        before, self._in_memory = self._study, True
        self._study = optuna.create_study(study_name=STUDY, direction="minimize")
        self._study.add_trials([one for one in before.get_trials(deepcopy=False) if one.state.is_finished()])
        opened, self._open = self._open, {}
        for name, trial in opened.items():
            self._study.enqueue_trial(trial.params)
            again = self._open[name] = self._study.ask(trial.distributions)
            assert again.params == trial.params

    def _fail_interrupted(self) -> None:
        """Mark the running trials of a killed process as failed: this process owns the folder, so that no other runs
        them."""
        import optuna

        for trial in self._study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
            self._study.tell(trial.number, state=optuna.trial.TrialState.FAIL)

    def _finished(self) -> list[optuna.trial.FrozenTrial]:
        import optuna

        complete = self._study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
        return [trial for trial in complete if not trial.user_attrs[PARTIAL]]

    def _trial_of(self, entry: PortfolioEntry) -> optuna.Trial:
        """The open trial of an entry, or a new one."""
        # A recipe that was proposed for a short training and is then trained in full gets a second trial, without
        # proposed values: the losses of short and full trainings must not be mixed.
        trial = self._open.get(entry.name) or self._study.ask()
        self._open[entry.name] = trial
        trial.set_user_attr(NAME, entry.name)
        trial.set_user_attr(ROLE, entry.role)
        trial.set_user_attr(PARTIAL, entry.partial)
        return trial

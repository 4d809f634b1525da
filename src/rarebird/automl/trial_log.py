"""The trials of a `fit` on disk: each result is written to the run's `trials.db`, and its networks to a folder, before
the next trial starts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rarebird.automl import candidate_files
from rarebird.automl.candidate import TOO_LATE, Candidate
from rarebird.automl.portfolio import PortfolioEntry
from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset
from rarebird.recipe.recipe import Recipe
from rarebird.tuning import storage as storages
from rarebird.tuning import strategies
from rarebird.tuning.resumable import REASON, is_dead
from rarebird.tuning.space import Space
from rarebird.tuning.storage import DATABASE, FILES
from rarebird.tuning.study import check_identity, suggested

if TYPE_CHECKING:
    import optuna

STUDY = "rarebird fit"
# The first proposals are drawn at random; later ones come from a model of the losses.
STARTUP = 8
NAME, ROLE, PARTIAL = "name", "role", "partial"
# Folder of the finished candidates, during a search.
CANDIDATES = "candidates"
KEPT = (*FILES, CANDIDATES)


def is_unfinished(folder: Path) -> bool:
    """Whether a folder holds the trials of a killed search; a finished run has no folder of candidates."""
    return (folder / DATABASE).is_file() and (folder / CANDIDATES).is_dir() and any((folder / CANDIDATES).iterdir())


class TrialLog:
    """Records the result of each entry, and proposes recipes of a space; must be closed with `close`.

    Args:
        folder: The folder of `DATABASE` and `CANDIDATES`; an earlier search there is resumed.
        seed: Seed of the proposals.
        train: Training rows, for the prior and the target's name in a candidate's folder.
        identity: Values that must be equal for candidates to be comparable.

    Raises:
        DataError: The trials in the folder have another identity, or another process uses them.
    """

    def __init__(self, folder: Path, seed: int, train: Dataset, identity: Mapping[str, Any]) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.seed, self._train, self._files = seed, train, folder / CANDIDATES
        if not is_unfinished(folder):
            for name in FILES:
                (folder / name).unlink(missing_ok=True)
        self._files.mkdir(parents=True, exist_ok=True)
        self._storage = storages.open_storage(folder)
        self._study = optuna.create_study(
            storage=self._storage, study_name=STUDY, direction="minimize", load_if_exists=True
        )
        try:
            check_identity(self._study, identity)
            self._fail_interrupted(folder)
        except DataError:
            self.close()
            raise
        self._open: dict[str, optuna.Trial] = {}

    def close(self) -> None:
        """Close the database."""
        storages.close(self._storage)

    def propose(self, space: Space, name: str) -> tuple[Recipe, dict[str, Any]]:
        """The next recipe of a space by a tree-structured Parzen estimator, and the chosen values.

        Args:
            space: The ranges to search.
            name: The name of the entry for this recipe.
        """
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
        trial = self._trial_of(entry)
        notes = {"seconds": round(candidate.seconds, 3), "networks": len(candidate.models.trained)}
        trial.set_user_attr("recipe", candidate.models.recipe.to_toml())
        trial.set_user_attr("notes", json.dumps(notes))
        if not entry.partial:
            candidate_files.save(candidate, self._files / str(trial.number), self._train)
        self._study.tell(trial, candidate.loss)

    def drop(self, entry: PortfolioEntry, why: str) -> None:
        """Record that an entry was not trained on all parts, and why."""
        import optuna

        trial = self._trial_of(entry)
        trial.set_user_attr(REASON, why)
        self._study.tell(trial, state=optuna.trial.TrialState.FAIL)

    def release(self, candidate: Candidate) -> None:
        """Delete the networks of a candidate; keep its held-out predictions."""
        for trial in self._finished():
            if trial.user_attrs[NAME] == candidate.name:
                candidate_files.release(self._files / str(trial.number))

    def restored(self, device: str) -> list[Candidate]:
        """The candidates that an earlier process finished, in their order."""
        return [candidate_files.load(self._files / str(trial.number), device) for trial in self._finished()]

    def left(self) -> dict[str, str]:
        """Name -> why, for portfolio entries that left the race in an earlier process, except for lack of time."""
        import optuna

        failed = self._study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.FAIL,))
        reasons = {
            trial.user_attrs[NAME]: trial.user_attrs.get(REASON)
            for trial in failed
            if trial.user_attrs.get(ROLE) in ("default", "portfolio")
        }
        return {str(name): str(why) for name, why in reasons.items() if why not in (None, TOO_LATE)}

    def proposed(self) -> int:
        """The number of proposed recipes."""
        return sum(bool(trial.params) for trial in self._study.get_trials(deepcopy=False))

    def _fail_interrupted(self, folder: Path) -> None:
        """Mark the running trials of a killed process as failed.

        Raises:
            DataError: The process is still running.
        """
        import optuna

        for trial in self._study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
            if not is_dead(trial):
                raise DataError(f"Another process runs the search in {folder}; give another folder with --out.")
            self._study.tell(trial.number, state=optuna.trial.TrialState.FAIL)

    def _finished(self) -> list[optuna.trial.FrozenTrial]:
        import optuna

        complete = self._study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
        return [trial for trial in complete if not trial.user_attrs[PARTIAL]]

    def _trial_of(self, entry: PortfolioEntry) -> optuna.Trial:
        """The open trial of an entry, or a new one."""
        # A recipe that was proposed for a short training and is then trained in full gets a second trial, without
        # proposed values: the losses of short and full trainings must not be mixed.
        trial = self._open.pop(entry.name, None) or self._study.ask()
        trial.set_user_attr(NAME, entry.name)
        trial.set_user_attr(ROLE, entry.role)
        trial.set_user_attr(PARTIAL, entry.partial)
        return trial

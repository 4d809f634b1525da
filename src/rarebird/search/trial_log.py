"""The candidates of a `fit` on disk: each stands in the run's `trials.db` before the next one begins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rarebird.recipe import Recipe
from rarebird.search import strategies
from rarebird.search.candidate import Candidate
from rarebird.search.space import Space
from rarebird.search.storage import DATABASE, FILES
from rarebird.search.study import suggested

if TYPE_CHECKING:
    import optuna

STUDY = "rarebird fit"
# Proposals that are drawn at random before a model of the losses is asked.
STARTUP = 8


class TrialLog:
    """Finished candidates, and who proposes the next one of a space.

    Args:
        folder: Where `DATABASE` is kept; an earlier one is replaced.
        seed: Of the proposals.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            (folder / name).unlink(missing_ok=True)
        storage = optuna.storages.RDBStorage(f"sqlite:///{folder / DATABASE}")
        self.seed = seed
        self._study = optuna.create_study(storage=storage, study_name=STUDY, direction="minimize")
        self._open: optuna.Trial | None = None

    def propose(self, space: Space) -> tuple[Recipe, dict[str, Any]]:
        """The next recipe of a space by a tree-structured Parzen estimator, and what was chosen for it."""
        place = len(self._study.get_trials(deepcopy=False))
        self._study.sampler = strategies.sampler("tpe", self.seed, place, STARTUP)
        trial = self._open = self._study.ask()
        recipe = space.draw(lambda name, where: suggested(trial, name, where))
        return recipe, dict(trial.params)

    def drop(self, why: str) -> None:
        """Record that the proposed recipe did not go through all parts, and why."""
        import optuna

        assert self._open is not None
        self._open.set_user_attr("reason", why)
        self._study.tell(self._open, state=optuna.trial.TrialState.FAIL)
        self._open = None

    def record(self, candidate: Candidate) -> None:
        """Record a finished candidate: the proposed one, or one of the portfolio."""
        import optuna

        notes = {"seconds": round(candidate.seconds, 3), "networks": len(candidate.team.trained)}
        about = {"name": candidate.name, "recipe": candidate.team.recipe.to_toml(), "notes": json.dumps(notes)}
        if self._open is None:
            self._study.add_trial(optuna.trial.create_trial(value=candidate.loss, user_attrs=about))
            return
        for name, value in about.items():
            self._open.set_user_attr(name, value)
        self._study.tell(self._open, candidate.loss)
        self._open = None

"""Searches the usual ranges around the best candidate of a portfolio, while there is time; keeps only the best recipe.

With cross-fitting, and for trees, the searched recipes race like those of the portfolio. A hold-out has a single part:
there networks are trained for few steps in brackets, and the best of each bracket are trained in full (successive
halving; Li, Jamieson, DeSalvo, Rostamizadeh and Talwalkar, "Hyperband", JMLR 2018). A short training has fewer passes
over all rows; the same number of passes over fewer rows predicts a recipe's full loss much less well
(`benchmarks/short_courses.py`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from rarebird.automl.candidate import Candidate
from rarebird.automl.portfolio import PortfolioEntry
from rarebird.automl.race import Race
from rarebird.automl.trial_log import TrialLog
from rarebird.training.step_plan import DEFAULT_EPOCHS
from rarebird.tuning.space import Space, default_space

# The search is worth its time if at least this number of recipes like its leader fits.
FEWEST_TRIALS = 8
# For a hold-out: recipes in a bracket, their share of the full passes, and the number that is trained in full.
BRACKET, SHORT, FULL = 6, 0.25, 2
# A recipe may take this number of times the seconds of its leader: wider and deeper networks need more.
LONGER = 4.0


@dataclass
class LocalSearch:
    """A search around one candidate.

    Attributes:
        race: Trains the recipes.
        log: Proposes them.
        leader: The candidate.
        until: No recipe starts after this time, on the scale of `time.monotonic`.
        proposed: The number of proposed recipes, including those of an earlier process.
    """

    race: Race
    log: TrialLog
    leader: Candidate
    until: float
    proposed: int = 0

    def run(self) -> None:
        """Try recipes; none if too few fit, or if the time is unlimited."""
        workers = self.race.workers.processes
        if time.monotonic() + FEWEST_TRIALS * self.leader.seconds / workers > self.until or not np.isfinite(self.until):
            return
        recipe = self.leader.models.recipe
        # Each proposed recipe plans its own steps.
        space = default_space(recipe.reopened())
        self.proposed = self.log.proposed()
        if self.race.context.setup.protocol.folds or recipe.reference is not None:
            self.race.run(self._proposals(space))
        else:
            self._halve(space, workers)
        self._release_beaten()

    def _proposals(self, space: Space) -> Iterator[PortfolioEntry]:
        """Propose recipes while there is time for one more."""
        while time.monotonic() + self.leader.seconds < self.until:
            self._release_beaten()
            yield self._proposal(space, LONGER)

    def _proposal(self, space: Space, longer: float) -> PortfolioEntry:
        self.proposed += 1
        name = f"{self.leader.name}, searched #{self.proposed}"
        recipe, values = self.log.propose(space, name)
        return PortfolioEntry(
            name,
            recipe,
            self._share(longer),
            is_reference=self.leader.is_reference,
            role="searched",
            parent=self.leader.name,
            settings=values,
        )

    def _halve(self, space: Space, workers: int) -> None:
        """Train brackets of short trainings, and the best of each bracket in full."""
        seconds = self.leader.seconds * (BRACKET * SHORT + FULL) / workers
        while time.monotonic() + seconds < self.until and not self.race.ended:
            proposals = {entry.name: entry for entry in (self._proposal(space, 1.0) for _ in range(BRACKET))}
            short = self.race.run(_short_training(entry) for entry in proposals.values())
            best = sorted(short, key=lambda one: one.loss)[:FULL]
            self.race.run(replace(proposals[one.name], share=self._share(LONGER)) for one in best)
            self._release_beaten()

    def _share(self, longer: float) -> float:
        """`longer` times the leader's seconds, as a share of the remaining time."""
        return min(1.0, longer * self.leader.seconds / max(self.race.time_left(), 1e-9))

    def _release_beaten(self) -> None:
        """Release the networks of searched candidates that are not the best, in memory and on disk."""
        best = best_searched(self.race.finished)
        for one in list(self.race.finished):
            if one.parent is not None and best is not None and one.name != best.name and one.models.trained:
                self.race.release(one)
                self.log.release(one)


def luck(tried: int) -> float:
    """Expected maximum of `tried` standard normal draws: the bias from selecting the best of many equal recipes.

    Source: Blom, "Statistical estimates and transformed beta-variables", 1958.
    """
    return float(ndtri((tried - 0.375) / (tried + 0.25)))


def best_searched(finished: Sequence[Candidate]) -> Candidate | None:
    """The best candidate among the searched ones; None if there are none."""
    return min((one for one in finished if one.parent is not None), key=lambda one: one.loss, default=None)


def _short_training(entry: PortfolioEntry) -> PortfolioEntry:
    """The same recipe with fewer passes over the rows."""
    short = entry.recipe.updated(epochs=SHORT * (entry.recipe.epochs or DEFAULT_EPOCHS))
    return replace(entry, recipe=short, partial=True)

"""A search of the usual ranges around the best of a portfolio, while there is time; only its best recipe is kept.

With cross-fitting the recipes race like any other, and so do trees. A hold-out has one part: there networks train for
few steps in brackets, and the best of each bracket are trained in full (successive halving; Li, Jamieson, DeSalvo,
Rostamizadeh and Talwalkar, "Hyperband", JMLR 2018). A short training has fewer passes over all rows; as many passes
over fewer rows predict much less well how a recipe will do on all (`benchmarks/short_courses.py`).
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

# A search pays where at least this many recipes like its leader fit into its time.
FEWEST_TRIALS = 8
# For a hold-out: recipes of a bracket, the share of the passes that they train for, and how many train in full.
BRACKET, SHORT, WHOLE = 6, 0.25, 2
# How many times as long as its leader a recipe may take: wider and deeper ones do.
LONGER = 4.0


@dataclass
class LocalSearch:
    """A search around one candidate.

    Attributes:
        race: Where recipes are trained.
        log: Proposes them.
        leader: The candidate.
        until: When no recipe begins any more, on the scale of `time.monotonic`.
        proposed: How many recipes have been proposed, those of an earlier process among them.
    """

    race: Race
    log: TrialLog
    leader: Candidate
    until: float
    proposed: int = 0

    def run(self) -> None:
        """Try recipes; none where too few would fit, or where the time has no end."""
        workers = self.race.workers.processes
        if time.monotonic() + FEWEST_TRIALS * self.leader.seconds / workers > self.until or not np.isfinite(self.until):
            return
        recipe = self.leader.models.recipe
        # Steps are laid out anew.
        space = default_space(recipe.updated(steps=None, relaid=()))
        self.proposed = self.log.proposed()
        if self.race.context.setup.protocol.folds or recipe.reference is not None:
            self.race.run(self._proposals(space))
        else:
            self._halve(space, workers)
        self._release_beaten()

    def _proposals(self, space: Space) -> Iterator[PortfolioEntry]:
        """Recipes while there is time for one more."""
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
        """Brackets of short trainings, of which the best are trained in full."""
        seconds = self.leader.seconds * (BRACKET * SHORT + WHOLE) / workers
        while time.monotonic() + seconds < self.until and not self.race.ended:
            proposals = {entry.name: entry for entry in (self._proposal(space, 1.0) for _ in range(BRACKET))}
            tried = self.race.run(_short(entry) for entry in proposals.values())
            best = sorted(tried, key=lambda one: one.loss)[:WHOLE]
            self.race.run(replace(proposals[one.name], share=self._share(LONGER)) for one in best)
            self._release_beaten()

    def _share(self, longer: float) -> float:
        """`longer` times the leader's seconds, as a share of the time that is left."""
        return min(1.0, longer * self.leader.seconds / max(self.race.time_left(), 1e-9))

    def _release_beaten(self) -> None:
        """Give up the networks of searched candidates that cannot ship any more, in memory and on disk."""
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
    """The best of the candidates that a search proposed; None without any."""
    return min((one for one in finished if one.parent is not None), key=lambda one: one.loss, default=None)


def _short(entry: PortfolioEntry) -> PortfolioEntry:
    """The same recipe with fewer passes."""
    short = entry.recipe.updated(epochs=SHORT * (entry.recipe.epochs or DEFAULT_EPOCHS))
    return replace(entry, recipe=short, partial=True)

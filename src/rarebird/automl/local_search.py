"""A search of the usual ranges around the best of a portfolio, while there is time; of all that it tries, only the best
is kept.

With cross-fitting the recipes race like any other, and so do trees. Of a hold-out, which has one part, networks train
short courses in brackets, and the best of each go on to a whole one (successive halving; Li, Jamieson, DeSalvo,
Rostamizadeh and Talwalkar, "Hyperband", JMLR 2018). A short course has fewer passes over all rows, and where that is
less than one pass it sees a share of them; as many passes over fewer rows say much less of how a recipe will stand on
all (`benchmarks/short_courses.py`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from rarebird.automl.candidate import Candidate
from rarebird.automl.entry import Entry
from rarebird.automl.race import Race
from rarebird.automl.trial_log import TrialLog
from rarebird.training.network_trainer import DEFAULT_EPOCHS
from rarebird.tuning.space import Space, default_space

# A search pays where so many recipes like its leader fit into its time.
FEWEST_TRIALS = 8
# Of a hold-out, so many recipes train on a share of the passes, and the best of them on all.
BRACKET, SHORT, WHOLE = 6, 0.25, 2
# A recipe may take so many times as long as its leader: wider and deeper ones do.
LONGER = 4.0


@dataclass
class Around:
    """A search around one candidate.

    Attributes:
        race: Where recipes are tried.
        log: Who proposes them.
        leader: The candidate.
        until: When no recipe begins any more, on the scale of `time.monotonic`.
        number: How many recipes have been proposed, those of an earlier process among them.
    """

    race: Race
    log: TrialLog
    leader: Candidate
    until: float
    number: int = 0

    def run(self) -> None:
        """Try recipes; none where too few would fit, or where there is no end to the time."""
        if time.monotonic() + FEWEST_TRIALS * self.leader.seconds / self._at_once > self.until or not np.isfinite(
            self.until
        ):
            return
        recipe = self.leader.team.recipe
        # The course is laid out anew.
        space = default_space(recipe.updated(steps=None, relaid=()))
        self.number = self.log.proposed()
        if self.race.contest.ground.protocol.folds or recipe.reference is not None:
            self.race.run(self._proposals(space))
        else:
            self._halve(space)
        self._let_go()

    @property
    def _at_once(self) -> int:
        return self.race.workers.processes

    def _proposals(self, space: Space) -> Iterator[Entry]:
        """Recipes while there is time for one more."""
        while time.monotonic() + self.leader.seconds < self.until:
            self._let_go()
            yield self._proposal(space, LONGER)

    def _proposal(self, space: Space, longer: float) -> Entry:
        self.number += 1
        name = f"{prefix(self.leader)}{self.number}"
        recipe, values = self.log.propose(space, name)
        return Entry(name, recipe, self._share(longer), settings=values, is_reference=self.leader.is_reference)

    def _halve(self, space: Space) -> None:
        """Brackets of short courses, of which the best go on to a whole one."""
        seconds = self.leader.seconds * (BRACKET * SHORT + WHOLE) / self._at_once
        while time.monotonic() + seconds < self.until and not self.race.ended:
            proposals = {entry.name: entry for entry in (self._proposal(space, 1.0) for _ in range(BRACKET))}
            tried = self.race.run(_short(entry) for entry in proposals.values())
            best = sorted(tried, key=lambda one: one.loss)[:WHOLE]
            self.race.run(replace(proposals[one.name], share=self._share(LONGER)) for one in best)
            self._let_go()

    def _share(self, longer: float) -> float:
        """So many times the leader's seconds, as a share of the time that is left."""
        return min(1.0, longer * self.leader.seconds / max(self.race.time_left(), 1e-9))

    def _let_go(self) -> None:
        """The networks of searched candidates that cannot ship any more, in memory and on disk."""
        best = best_searched(self.race.finished)
        for one in self.race.finished:
            if one.settings and best is not None and one.name != best.name and one.team.trained:
                one.let_go()
                self.log.let_go(one)


def prefix(leader: Candidate) -> str:
    """How the names of recipes that were searched around a leader begin."""
    return f"{leader.name}, searched #"


def luck(tried: int) -> float:
    """By how many standard errors the best of so many recipes that are all alike looks better than one of them.

    The mean of the greatest of normal draws (Blom, "Statistical estimates and transformed beta-variables", 1958).
    """
    return float(ndtri((tried - 0.375) / (tried + 0.25)))


def best_searched(finished: Sequence[Candidate]) -> Candidate | None:
    """The best of the candidates that a search proposed; None without."""
    return min((one for one in finished if one.settings), key=lambda one: one.loss, default=None)


def _short(entry: Entry) -> Entry:
    """A recipe's course in fewer passes."""
    return replace(
        entry, recipe=entry.recipe.updated(epochs=SHORT * (entry.recipe.epochs or DEFAULT_EPOCHS)), partial=True
    )

"""A recipe that was trained on the parts of the training rows, and what its held-out rows say of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rarebird.automl.ensemble_selection import Criterion, loss
from rarebird.evaluation import held_out
from rarebird.experiment.setup import Ground
from rarebird.model.model import Member
from rarebird.training.cross_fit import Team
from rarebird.training.test_time_views import views


@dataclass
class Candidate:
    """One recipe's networks and their held-out predictions.

    Attributes:
        name: What it is called in reports; repeats of one recipe with another seed bear the same.
        team: Its networks.
        predicted: ``(n, n_outputs)`` held-out probabilities or values of the rows that judge, calibrated for each row
            without that row.
        losses: ``(n,)`` what each of these rows adds to the criterion.
        seconds: Training and judging.
        per_row: Seconds that the prediction of one row takes, with all networks.
        is_reference: Whether it is no network, but what a user would pick instead.
    """

    name: str
    team: Team
    predicted: np.ndarray
    losses: np.ndarray
    seconds: float
    per_row: float
    is_reference: bool = False
    settings: dict[str, object] = field(default_factory=dict)

    @property
    def loss(self) -> float:
        """The criterion on all rows that were held out."""
        return loss(self.losses)

    def let_go(self) -> None:
        """Give up the networks; what they said of held-out rows stays."""
        self.team = Team(self.team.recipe, [], [])
        self.per_row = 0.0

    @property
    def rows(self) -> np.ndarray:
        """``(n,)`` bool: the rows that were held out."""
        known: np.ndarray = np.isfinite(self.losses)
        return known


def judged(
    name: str, team: Team, ground: Ground, criterion: Criterion, judges: np.ndarray, begun: float, is_reference: bool
) -> Candidate:
    """What a team's held-out rows say.

    Args:
        name: What the candidate is called.
        team: Its networks.
        ground: What the run stands on.
        criterion: What selection looks at.
        judges: ``(n,)`` parts of the rows that judge.
        begun: When its training began, on the scale of `time.monotonic`.
        is_reference: Whether it is no network.
    """
    members = members_of(team)
    start = time.monotonic()
    predicted = held_out.crossed(team, members, ground.judged, ground.device, judges)
    now = time.monotonic()
    # Each held-out row was predicted by one network, a new row is predicted by all.
    held = sum(len(rows) for rows in team.held_rows)
    per_row = (now - start) / max(held, 1) * len(members)
    return Candidate(name, team, predicted, criterion.rows(predicted), now - begun, per_row, is_reference)


def members_of(team: Team) -> Sequence[Member]:
    """A team's networks as a model has them, without calibrations."""
    return [Member(one.network, one.prepared, (), views(team.recipe, one.prepared.spec)) for one in team.trained]

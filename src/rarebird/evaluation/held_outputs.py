"""Raw outputs for held-out rows, each from a network that never saw the row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rarebird.data.dataset import Dataset
from rarebird.model.model import Member
from rarebird.training.cross_fit import CrossFit

# Per network, by what its training multiplied the natural prior.
Factors = Sequence[np.ndarray | None]


@dataclass(frozen=True)
class HeldOut:
    """Raw outputs for rows, each from a network that the row belongs to: for held-out rows, one that never saw it.

    Attributes:
        rows: ``(n,)`` positions among the rows that judge.
        outputs: ``(n, n_classes)`` raw logits, or ``(n, 1)`` values in the target's own unit.
        y: ``(n,)`` class codes; zeros for regression.
        weight: ``(n,)`` sample weights.
        network: ``(n,)`` the place of each row's network.
    """

    rows: np.ndarray
    outputs: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    network: np.ndarray

    def where(self, chosen: np.ndarray) -> HeldOut:
        """The chosen rows, ``(n,)`` bool."""
        return HeldOut(*(part[chosen] for part in (self.rows, self.outputs, self.y, self.weight, self.network)))


def outputs_of(member: Member, rows: Dataset, device: str) -> np.ndarray:
    """``(n, n_classes)`` raw logits, or ``(n, 1)`` values in the target's own unit."""
    raw = member.logits(rows, device)
    return member.prepared.values(raw) if rows.task == "regression" else raw


def predict(models: CrossFit, judging: Dataset, device: str, members: Sequence[Member] | None = None) -> HeldOut:
    """The raw outputs of a recipe's held-out rows, in the order of its networks.

    Args:
        models: The trained networks.
        judging: Rows of which the networks hold some out.
        device: Where they compute.
        members: The same networks as members of a model, where they are at hand.
    """
    members = members_of(models) if members is None else members
    return join([predict_one(models, place, judging, device, member) for place, member in enumerate(members)])


def predict_one(models: CrossFit, place: int, judging: Dataset, device: str, member: Member | None = None) -> HeldOut:
    """The raw outputs of one network's held-out rows."""
    member = Member.of(models.recipe, models.trained[place]) if member is None else member
    outputs = outputs_of(member, judging.take(models.unseen_rows(place)), device)
    own = models.trained[place].own_outputs
    if own is not None:
        left_out = member.prepared.values(own) if judging.task == "regression" else own
        outputs = np.concatenate([outputs, left_out])
    return of_rows(judging, models.held_rows[place], outputs, place)


def of_rows(data: Dataset, rows: np.ndarray, outputs: np.ndarray, place: int) -> HeldOut:
    """One network's raw outputs for the rows of `data` at these positions."""
    here = data.take(rows)
    y = here.codes if here.task == "classification" else np.zeros(len(rows), dtype=np.int64)
    return HeldOut(rows, outputs, y, here.weights, np.full(len(rows), place))


def join(parts: Sequence[HeldOut]) -> HeldOut:
    """The outputs of several networks, one after the other."""
    fields = ("rows", "outputs", "y", "weight", "network")
    return HeldOut(*(np.concatenate([getattr(part, name) for part in parts]) for name in fields))


def members_of(models: CrossFit, place: int = 0) -> list[Member]:
    """A recipe's networks as members of a model, not yet calibrated, each with an equal part of the recipe's weight."""
    weight = models.weight / max(len(models.trained), 1)
    return [Member.of(models.recipe, one, place, weight) for one in models.trained]


def prior_factors(models: CrossFit) -> Factors:
    """Per network, by what its training multiplied the natural prior."""
    return [one.prior_factor for one in models.trained]

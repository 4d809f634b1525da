"""Raw outputs for held-out rows, each by a network that never saw the row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rarebird.data.dataset import Dataset
from rarebird.data.row_counts import seen_classes
from rarebird.model.model import Member
from rarebird.training.cross_fit import CrossFit

# Per network, ``(n_classes,)`` by which its training multiplied the natural prior; None where the prior is unknown.
Factors = Sequence[np.ndarray | None]


@dataclass(frozen=True)
class HeldOut:
    """Raw outputs for rows, each by the network of its part, which did not learn from it if the row is held out.

    Attributes:
        rows: ``(n,)`` positions of the rows.
        outputs: ``(n, n_classes)`` raw logits, or ``(n, 1)`` values in the target's own unit.
        y: ``(n,)`` class codes; zeros for regression.
        weight: ``(n,)`` sample weights.
        network: ``(n,)`` the place of the network that predicts each row.
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
    if not len(rows):
        return np.empty((0, member.prepared.spec.n_outputs))
    raw = member.logits(rows, device)
    return member.prepared.values(raw) if rows.task == "regression" else raw


def predict(models: CrossFit, scored: Dataset, device: str, members: Sequence[Member] | None = None) -> HeldOut:
    """The raw outputs for a recipe's held-out rows, in the order of its networks.

    Args:
        models: The trained networks.
        scored: The rows that the networks hold out, and perhaps others.
        device: Where the networks compute.
        members: The same networks as members of a model; None: made here.
    """
    members = members_of(models) if members is None else members
    return join([predict_one(models, place, scored, device, member) for place, member in enumerate(members)])


def predict_one(models: CrossFit, place: int, scored: Dataset, device: str, member: Member | None = None) -> HeldOut:
    """The raw outputs of one network for its held-out rows."""
    member = Member.of(models.recipe, models.trained[place]) if member is None else member
    outputs = outputs_of(member, scored.take(models.unseen_rows(place)), device)
    leave_one_out = models.trained[place].own_outputs
    if leave_one_out is not None:
        values = member.prepared.values(leave_one_out) if scored.task == "regression" else leave_one_out
        outputs = np.concatenate([outputs, values])
    return of_rows(scored, models.held_rows[place], outputs, place)


def of_rows(data: Dataset, rows: np.ndarray, outputs: np.ndarray, place: int) -> HeldOut:
    """Given raw outputs of one network for the rows of `data` at these positions, with their labels and weights."""
    taken = data.take(rows)
    y = taken.codes if taken.task == "classification" else np.zeros(len(rows), dtype=np.int64)
    return HeldOut(rows, outputs, y, taken.weights, np.full(len(rows), place))


def join(parts: Sequence[HeldOut]) -> HeldOut:
    """The outputs of several networks, one after the other."""
    fields = ("rows", "outputs", "y", "weight", "network")
    return HeldOut(*(np.concatenate([getattr(part, name) for part in parts]) for name in fields))


def members_of(models: CrossFit, place: int = 0) -> list[Member]:
    """A recipe's networks as uncalibrated members of a model, each with an equal share of the recipe's weight."""
    weight = models.weight / max(len(models.trained), 1)
    return [Member.of(models.recipe, one, place, weight) for one in models.trained]


def prior_factors(models: CrossFit) -> Factors:
    """Per network, the factors by which its training multiplied the natural prior."""
    return [one.prior_factor for one in models.trained]


def notes_on_unseen_classes(held: Dataset, train: Dataset) -> list[str]:
    """A sentence on the classes that are trained on, but of which no row is held out."""
    if held.task == "regression":
        return []
    trained, seen = (seen_classes(rows.codes, rows.weights, rows.n_classes) for rows in (train, held))
    unseen = [repr(held.classes[code]) for code in np.flatnonzero(trained & ~seen)]
    if not unseen:
        return []
    named = ", ".join(unseen[:5]) + (f" and {len(unseen) - 5} more" if len(unseen) > 5 else "")
    classes, their = ("class", "its") if len(unseen) == 1 else ("classes", "their")
    return [
        f"There is no held-out row of the {classes} {named}: {their} probabilities are the networks' own, not "
        "calibrated, and no validation figure tests them."
    ]

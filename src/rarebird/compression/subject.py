"""A model under compression: its networks, the rows that each held out, and what these rows say of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import nn

from rarebird.data.dataset import Dataset, Splits
from rarebird.evaluation.complete import Completed, complete
from rarebird.evaluation.held_outputs import members_of
from rarebird.model.model import Member, Model
from rarebird.recipe.ensemble import members as recipes_of
from rarebird.training.cross_fit import CrossFit, Parts
from rarebird.training.trainer import Trained


@dataclass(frozen=True, eq=False)
class Subject:
    """A model with the rows that judge it.

    Attributes:
        fits: Its networks by recipe, with the rows that each held out.
        splits: Training rows, and validation and test rows where there are any.
        completed: The model, calibrated and decided on held-out rows, and its predictions for these.
        note: What the last step did, for people.
    """

    fits: tuple[CrossFit, ...]
    splits: Splits
    completed: Completed
    note: str = ""

    @property
    def model(self) -> Model:
        """The calibrated model, which decides."""
        return self.completed.model

    @property
    def scored(self) -> Dataset:
        """The rows among which networks hold rows out."""
        return self.splits.train if self.splits.val is None else self.splits.val

    def learned_rows(self, place: int, network: int) -> Dataset:
        """The training rows that one network of a recipe learned from."""
        train, held = self.splits.train, self.fits[place].held_rows[network]
        if self.splits.val is not None:
            return train
        return train.take(np.setdiff1d(np.arange(len(train)), held))

    def with_networks(self, networks: Sequence[Sequence[nn.Module]]) -> Subject:
        """The same with other networks in the places of these, calibrated and decided anew."""
        return self.with_trained(
            [
                [replace(one, network=new) for one, new in zip(models.trained, own, strict=True)]
                for models, own in zip(self.fits, networks, strict=True)
            ]
        )

    def with_trained(self, trained: Sequence[Sequence[Trained]]) -> Subject:
        """The same with other trainings in the places of these."""
        fits = [replace(models, trained=list(own)) for models, own in zip(self.fits, trained, strict=True)]
        return subject_of(self.model, fits, self.splits)


def subject_of(model: Model, fits: Sequence[CrossFit], splits: Splits) -> Subject:
    """Networks as a model that is calibrated and decides on the rows that they hold out.

    Args:
        model: Its target, classes and prior are kept.
        fits: The networks by recipe.
        splits: The rows.

    Raises:
        DataError: No row was held out.
    """
    members = [member for place, models in enumerate(fits) for member in members_of(models, place)]
    recipes = [models.recipe for models in fits]
    recipe = recipes[0] if len(fits) == 1 else model.recipe
    bare = replace(model, recipe=recipe, members=members, calibrations=(), decision=None)
    scored = splits.train if splits.val is None else splits.val
    parts = np.zeros(len(scored), dtype=np.int64)
    for place, held in enumerate(fits[0].held_rows if splits.val is None else ()):
        parts[held] = place
    return Subject(tuple(fits), splits, complete(bare, scored, fits, parts))


def fits_of(model: Model, splits: Splits, parts: Sequence[Parts]) -> list[CrossFit]:
    """The networks of a saved model with the rows that they held out.

    Args:
        model: The saved model.
        splits: The rows of its training, split as they were then.
        parts: Per recipe, the parts on which its networks were trained.
    """
    fits = []
    for place, ((weight, recipe), own) in enumerate(zip(recipes_of(model.recipe), parts, strict=True)):
        members = [member for member in model.members if member.place == place]
        held = [rows if splits.val is None else np.arange(len(splits.val)) for _, rows in own]
        trained = [trained_of(member) for member in members]
        fits.append(CrossFit(recipe, trained, held[: len(members)], weight))
    return fits


def trained_of(member: Member) -> Trained:
    """A saved network as a training's result; its prior factor is read from its calibrations."""
    chain = dict(member.calibrations)
    shift = getattr(chain.get("prior_correction"), "shift", None)
    unknown = shift is None and "class_scale_bias" in chain
    factor = None if unknown else np.exp(-np.array(shift or (0.0,) * max(member.prepared.spec.n_outputs, 1)))
    factor = factor if member.prepared.classes else None
    return Trained(member.network, member.prepared, factor, [], started=member.started)

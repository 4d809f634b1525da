"""A fitted model: networks whose predictions are averaged, calibrations, and a decision on top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset
from rarebird.data.prepare import Prepared
from rarebird.data.spec import InputSpec
from rarebird.model.chain import Chain, probabilities, recalibrated
from rarebird.model.description import Description, MemberDescription
from rarebird.model.files import read_model, step_of, write_model
from rarebird.recipe.ensemble import AnyRecipe
from rarebird.recipe.recipe import Recipe
from rarebird.slots.protocols import FittedDecision

if TYPE_CHECKING:
    from torch import nn

    from rarebird.training.test_time_views import View
    from rarebird.training.trainer import Trained


@dataclass
class Member:
    """A trained network with what belongs to it alone.

    Attributes:
        prepared: Raw rows -> its inputs, learned from the rows it trained on.
        calibrations: Fitted calibrations with their names, logits -> logits, in order.
        views: Augmented views of each row that are predicted beside it.
        place: Of its recipe among the model's.
        weight: Among the members, relative.
    """

    network: nn.Module
    prepared: Prepared
    calibrations: Chain = ()
    views: Sequence[View] = ()
    place: int = 0
    weight: float = 1.0

    @classmethod
    def of(cls, recipe: Recipe, trained: Trained, place: int = 0, weight: float = 1.0) -> Self:
        """A trained network, not yet calibrated."""
        from rarebird.training.test_time_views import views

        prepared = trained.prepared
        return cls(trained.network, prepared, (), views(recipe, prepared.spec), place, weight)

    def logits(self, data: Dataset, device: str) -> np.ndarray:
        """``(n, n_outputs)`` raw outputs."""
        from rarebird.training.inference import logits

        return logits(self.network, self.prepared.inputs(data), device, views=self.views)

    def predict(self, data: Dataset, device: str) -> np.ndarray:
        """``(n, n_classes)`` probabilities under the natural prior, or ``(n, 1)`` values in the target's own unit."""
        outputs = self.logits(data, device)
        return probabilities(outputs, self.calibrations) if self.prepared.classes else self.prepared.values(outputs)


@dataclass
class Model:
    """A fitted model: its members' predictions, averaged; for classes, a decision on top.

    Attributes:
        recipe: How it was trained; an ensemble's members are networks of several recipes.
        members: Trained networks; several are averaged as probabilities under the natural prior.
        calibrations: Fitted to the members' mean, as its logarithm; none where one recipe was trained.
        decision: Name and fitted value, probabilities -> class codes; None for regression.
        prior: ``(n_classes,)`` natural class frequencies of the training rows.
    """

    recipe: AnyRecipe
    members: Sequence[Member]
    decision: tuple[str, FittedDecision] | None
    prior: np.ndarray
    target: str = "target"
    positive: str | None = None
    device: str = "cpu"
    versions: dict[str, str] = field(default_factory=dict)
    calibrations: Chain = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """Class labels in the order of the probabilities' columns; empty for regression."""
        return self.members[0].prepared.classes

    @property
    def spec(self) -> InputSpec:
        """Shapes of the inputs, as the first member has them."""
        return self.members[0].prepared.spec

    def outputs(self, data: Dataset) -> np.ndarray:
        """``(n, n_classes)`` probabilities, or ``(n, 1)`` values: the weighted mean of the members'.

        Raises:
            DataError: The rows do not fit the model.
        """
        total = sum(member.weight for member in self.members)
        mean: np.ndarray = sum(member.weight / total * member.predict(data, self.device) for member in self.members)  # type: ignore[assignment]
        return recalibrated(mean, self.calibrations)

    def labels(self, outputs: np.ndarray) -> np.ndarray:
        """``(n,)`` class codes for probabilities ``(n, n_classes)``, or values for ``(n, 1)``."""
        return outputs[:, 0] if self.decision is None else self.decision[1](outputs)

    def save(self, folder: Path) -> None:
        """Write the model's folder under a temporary name, then rename it into place.

        Raises:
            DataError: The folder holds something else than a model.
        """
        members = [
            MemberDescription(
                prepared=member.prepared,
                calibrations=tuple(step_of(*calibration) for calibration in member.calibrations),
                recipe=member.place,
                weight=member.weight,
            )
            for member in self.members
        ]
        description = Description(
            recipe=self.recipe.plain(),
            members=members,
            calibrations=tuple(step_of(*calibration) for calibration in self.calibrations),
            target=self.target,
            positive=self.positive,
            decision=None if self.decision is None else step_of(*self.decision),
            prior=self.prior.tolist(),
            versions=self.versions,
        )
        write_model(folder, description, [member.network for member in self.members])


def load(folder: Path, device: str = "cpu") -> Model:
    """Read a saved model.

    Args:
        folder: The model's folder, or the run's folder that holds it as ``model``.
        device: Where its networks compute.

    Raises:
        DataError: The folder holds no model, a broken one, or one of another format.
    """
    stored = read_model(folder)
    description = stored.description
    try:
        members = [
            _member(stored.recipes[part.recipe], network, part, chain, device)
            for network, part, chain in zip(
                stored.networks, description.members, stored.member_calibrations, strict=True
            )
        ]
    except Exception as error:  # a foreign file may break the reading in any way
        raise DataError(f"{folder} is no model that can be read: {str(error).splitlines()[0][:300]}") from None
    return Model(
        recipe=stored.recipe,
        members=members,
        decision=stored.decision,
        prior=np.array(description.prior),
        target=description.target,
        positive=description.positive,
        device=device,
        versions=description.versions,
        calibrations=stored.calibrations,
    )


def _member(recipe: Recipe, network: nn.Module, part: MemberDescription, chain: Chain, device: str) -> Member:
    from rarebird.training.inference import placement
    from rarebird.training.test_time_views import views

    network = placement(device, part.prepared.spec.kind == "image").place(network)
    return Member(network.eval(), part.prepared, chain, views(recipe, part.prepared.spec), part.recipe, part.weight)

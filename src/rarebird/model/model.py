"""A fitted model: networks whose predictions are averaged, calibrations, and a decision on top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from rarebird.core.checks import DataError, require
from rarebird.core.python_words import in_python_words
from rarebird.data.dataset import Dataset
from rarebird.data.model_schema import schema_of
from rarebird.data.prepare import Prepared
from rarebird.data.row_multiples import row_multiples
from rarebird.data.schema import Schema
from rarebird.data.spec import InputSpec
from rarebird.model.chain import Chain, apply_to_mean, probabilities
from rarebird.model.description import Description, MemberDescription
from rarebird.model.files import read_model, step_of, write_model
from rarebird.model.held_out_rows import HeldOutRows
from rarebird.model.rows import of_python
from rarebird.recipe.ensemble import AnyRecipe
from rarebird.recipe.recipe import Recipe
from rarebird.slots.decisions import AbstainingDecision, FittedDecision, RowCostDecision
from rarebird.slots.starting_weights import StartingWeights
from rarebird.slots.stored_modules import OnnxModule, channel_widths, stored_precision

if TYPE_CHECKING:
    from torch import nn

    from rarebird.training.test_time_views import View
    from rarebird.training.trainer import Trained


@dataclass
class Member:
    """A trained network with its own preparation, calibrations and views.

    Attributes:
        network: In evaluation mode.
        prepared: Raw rows -> inputs of the network, learned from the rows that it was trained on.
        calibrations: Fitted calibrations with their names, logits -> logits, in order.
        views: Augmented views whose predictions are averaged with that of the row.
        place: The place of its recipe among the model's recipes.
        weight: Relative to the weights of the other members.
        started: Where its initial weights come from; None where they were newly drawn.
    """

    network: nn.Module
    prepared: Prepared
    calibrations: Chain = ()
    views: Sequence[View] = ()
    place: int = 0
    weight: float = 1.0
    started: StartingWeights | None = None

    @classmethod
    def of(cls, recipe: Recipe, trained: Trained, place: int = 0, weight: float = 1.0) -> Self:
        """A trained network as a member without calibrations."""
        from rarebird.training.test_time_views import views

        prepared = trained.prepared
        return cls(trained.network, prepared, (), views(recipe, prepared.spec), place, weight, trained.started)

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
    """A fitted model: it averages its members' predictions and, for classes, decides on a label.

    Attributes:
        recipe: The recipe or ensemble that it was trained with.
        members: Trained networks; several are averaged as probabilities under the natural prior.
        calibrations: Fitted to the logarithm of the members' mean; empty where one recipe was trained.
        decision: Name and fitted value, probabilities -> class codes; None for regression.
        prior: ``(n_classes,)`` natural class frequencies of the training rows.
        target: Name of the target.
        positive: The class that two-class figures are for; None for more classes and for regression.
        device: Where its networks compute.
        versions: Versions of the packages that it was trained with.
        schema: How the cells of a table are read, as in the training rows; None for other kinds, or if it is not known.
        held_out: Held-out rows with their predictions; None for a model that was saved without them.
        cards: File name -> text of its model card and data card, from the run that made it; empty without a run.
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
    schema: Schema | None = None
    held_out: HeldOutRows | None = None
    cards: Mapping[str, str] = field(default_factory=dict)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class labels in the order of the probabilities' columns; empty for regression."""
        return self.members[0].prepared.classes

    @property
    def spec(self) -> InputSpec:
        """Shapes of the first member's inputs."""
        return self.members[0].prepared.spec

    @property
    def row_schema(self) -> Schema | None:
        """The schema by which rows to predict are read; of a model without one, as earlier versions saved it, what its
        networks know of the columns. None for other kinds than tables."""
        states = [member.prepared.table for member in self.members if member.prepared.table is not None]
        return self.schema or (schema_of(states, self.classes) if states else None)

    def outputs(self, data: Dataset) -> np.ndarray:
        """``(n, n_classes)`` probabilities, or ``(n, 1)`` values: the weighted mean over the members.

        Raises:
            DataError: The rows do not fit the model.
        """
        return self.mean_of(self.member_outputs(data))

    def member_outputs(self, data: Dataset) -> list[np.ndarray]:
        """``(n, n_classes)`` probabilities, or ``(n, 1)`` values, of each member."""
        return [member.predict(data, self.device) for member in self.members]

    def mean_of(self, each: Sequence[np.ndarray]) -> np.ndarray:
        """The model's outputs from those of its members: their weighted mean, calibrated."""
        total = sum(member.weight for member in self.members)
        mean: np.ndarray = sum(member.weight / total * one for member, one in zip(self.members, each, strict=True))  # type: ignore[assignment]
        return apply_to_mean(mean, self.calibrations)

    def labels(self, outputs: np.ndarray, data: Dataset | None = None) -> np.ndarray:
        """``(n,)`` class codes for probabilities ``(n, n_classes)``, or values for ``(n, 1)``.

        Args:
            outputs: The probabilities or values.
            data: The rows, for a decision by costs of each row; None: each row costs the same.
        """
        if self.decision is None:
            return outputs[:, 0]
        decision: Any = self.decision[1]
        multiple = None if data is None else self.multiples(data)
        codes: np.ndarray = decision(outputs) if multiple is None else decision(outputs, multiple)
        return codes

    @property
    def cost_column(self) -> str | None:
        """The column by which the decision knows the costs of each row; None where all rows cost the same."""
        decision = None if self.decision is None else self.decision[1]
        return decision.column if isinstance(decision, RowCostDecision) else None

    def multiples(self, data: Dataset) -> np.ndarray | None:
        """``(n,)`` what the costs of the rows are multiplied by; None where all rows cost the same."""
        return None if self.cost_column is None else row_multiples(data, self.cost_column)

    def left(self, outputs: np.ndarray) -> np.ndarray:
        """``(n,)`` bool: the rows that the decision leaves to a person."""
        decision = None if self.decision is None else self.decision[1]
        return decision.abstains(outputs) if isinstance(decision, AbstainingDecision) else np.zeros(len(outputs), bool)

    @in_python_words
    def predict(self, rows: Any) -> np.ndarray:
        """The label, or for regression the value, of each row.

        Args:
            rows: A path (of a split, its test rows), a frame, arrays as for `rarebird.from_arrays`, or a `Dataset`. A
                target among the columns is not read.

        Returns:
            ``(n,)`` labels as text, None for a file that cannot be read and for a row that is left to a person; float64
            values for regression.

        Raises:
            DataError: The rows cannot be read or do not fit the model.
        """
        given = of_python(self.spec, self.target, rows, self.row_schema)
        outputs = self.outputs(given.data)
        decided = self.labels(outputs, given.data)
        if not self.classes:
            return given.spread(decided.astype(np.float64), np.nan)
        pairs = zip(decided, self.left(outputs), strict=True)
        return given.spread([None if left else self.classes[code] for code, left in pairs])

    @in_python_words
    def predict_proba(self, rows: Any) -> np.ndarray:
        """The probability of each class, under the natural prior.

        Args:
            rows: As for `predict`.

        Returns:
            ``(n, n_classes)`` in the order of `classes`, NaN for a file that cannot be read.

        Raises:
            DataError: As for `predict`.
            ValueError: The model predicts a number.
        """
        require(bool(self.classes), "the model predicts classes", classes=self.classes)
        given = of_python(self.spec, self.target, rows, self.row_schema)
        return given.spread(self.outputs(given.data), np.nan)

    def save(self, folder: str | Path) -> None:
        """Write the model's folder under a temporary name, then rename it into place.

        Raises:
            DataError: The folder holds files that are not a model.
        """
        members = [
            MemberDescription(
                prepared=member.prepared,
                calibrations=tuple(step_of(*calibration) for calibration in member.calibrations),
                recipe=member.place,
                weight=member.weight,
                started=member.started,
                widths=channel_widths(member.network),
                precision=stored_precision(member.network),
                onnx=isinstance(member.network, OnnxModule),
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
            table_schema=self.schema,
            versions=self.versions,
        )
        networks = [member.network for member in self.members]
        write_model(Path(folder), description, networks, self.held_out, self.cards)


def load(folder: str | Path, device: str = "cpu") -> Model:
    """Read a saved model.

    Args:
        folder: The model's folder, or the run's folder that holds it as ``model``.
        device: Where its networks compute.

    Raises:
        DataError: The folder holds no model, a broken one, or one in another format.
    """
    stored = read_model(Path(folder))
    description = stored.description
    try:
        members = [
            _member(stored.recipes[part.recipe], network, part, chain, device)
            for network, part, chain in zip(
                stored.networks, description.members, stored.member_calibrations, strict=True
            )
        ]
    except Exception as error:  # a file from elsewhere may fail in any way
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
        schema=description.table_schema,
        held_out=stored.held_out,
        cards=stored.cards,
    )


def _member(recipe: Recipe, network: nn.Module, part: MemberDescription, chain: Chain, device: str) -> Member:
    from rarebird.training.inference import placement
    from rarebird.training.test_time_views import views

    network = placement(device, part.prepared.spec.kind == "image").place(network)
    shown = views(recipe, part.prepared.spec)
    return Member(network.eval(), part.prepared, chain, shown, part.recipe, part.weight, part.started)

"""Save and load a fitted model: JSON and safetensors in one folder, never pickle, so that a model file cannot run code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from pydantic import BaseModel, ValidationError

from rarebird import ensemble, methods
from rarebird.checks import DataError, require
from rarebird.data.dataset import Dataset
from rarebird.data.prepare import Prepared
from rarebird.data.spec import InputSpec
from rarebird.description import MOST_BYTES, Description, MemberDescription, Step, check, read
from rarebird.ensemble import AnyRecipe
from rarebird.methods import Method
from rarebird.protocols import FittedCalibration, FittedDecision, Reference, TextModule
from rarebird.recipe import Recipe
from rarebird.writing import whole_folder

if TYPE_CHECKING:
    from torch import nn

    from rarebird.training.views import View

# Probabilities below this count as this where logarithms are taken.
LEAST = 1e-12
DESCRIPTION, WEIGHTS, TEXT = "model.json", "weights.safetensors", "member_{place}.txt"


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
    calibrations: Sequence[tuple[str, FittedCalibration]] = ()
    views: Sequence[View] = ()
    place: int = 0
    weight: float = 1.0

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
    calibrations: Sequence[tuple[str, FittedCalibration]] = ()

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
        return again(mean, self.calibrations)

    def labels(self, outputs: np.ndarray) -> np.ndarray:
        """``(n,)`` class codes for probabilities ``(n, n_classes)``, or values for ``(n, 1)``."""
        return outputs[:, 0] if self.decision is None else self.decision[1](outputs)

    def save(self, folder: Path) -> None:
        """Write the model's folder under a temporary name, then rename it into place.

        Raises:
            DataError: The folder holds something else than a model.
        """
        from safetensors.torch import save_file

        description = Description(
            recipe=self.recipe.plain(),
            members=[
                MemberDescription(
                    prepared=member.prepared,
                    calibrations=tuple(_step(*calibration) for calibration in member.calibrations),
                    recipe=member.place,
                    weight=member.weight,
                )
                for member in self.members
            ],
            calibrations=tuple(_step(*calibration) for calibration in self.calibrations),
            target=self.target,
            positive=self.positive,
            decision=None if self.decision is None else _step(*self.decision),
            prior=self.prior.tolist(),
            versions=self.versions,
        )
        tensors = {
            f"{place}.{name}": value.detach().cpu().contiguous()
            for place, member in enumerate(self.members)
            for name, value in member.network.state_dict().items()
        }
        if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / DESCRIPTION).is_file()):
            raise DataError(f"{folder} exists and is no rarebird model; give another folder.")
        with whole_folder(folder) as building:
            save_file(tensors, building / WEIGHTS)
            for place, member in enumerate(self.members):
                if isinstance(member.network, TextModule):
                    (building / TEXT.format(place=place)).write_text(member.network.to_text(), encoding="utf-8")
            text = json.dumps(description.model_dump(mode="json"), indent=1, allow_nan=False)
            (building / DESCRIPTION).write_text(text, encoding="utf-8")


def load(folder: Path, device: str = "cpu") -> Model:
    """Read a model's folder; only JSON and safetensors are read, and only methods that stand in a slot's folder are named.

    Args:
        folder: The model's folder, or the run's folder that holds it as ``model``.
        device: Where its networks compute.

    Raises:
        DataError: The folder holds no model, a broken one, or one of another format.
    """
    from safetensors.torch import load_file

    folder = Path(folder)
    folder = folder / "model" if (folder / "model" / DESCRIPTION).is_file() else folder
    if not (folder / DESCRIPTION).is_file():
        raise DataError(f"{folder} holds no rarebird model; there is no file {DESCRIPTION} in it.")
    try:
        description = read(folder / DESCRIPTION)
        recipe = ensemble.of_plain(description.recipe)
        recipes = [one for _, one in ensemble.members(recipe)]
        check(description, recipes)
        tensors = load_file(folder / WEIGHTS)
        networks = [_network(recipes[part.recipe], folder, part, tensors, place) for place, part in enumerate(description.members)]
        members = [
            _member(recipes[part.recipe], network, part, device) for network, part in zip(networks, description.members, strict=True)
        ]
        require(not tensors, "every tensor belongs to a network", left=sorted(tensors)[:3])
        n_classes = len(members[0].prepared.classes)
        decision = None if description.decision is None else _decision(description.decision, n_classes)
        calibrations = _calibrations(description.calibrations, n_classes)
    except Exception as error:  # a foreign file may break the reading in any way
        raise DataError(f"{folder} is no model that can be read: {_reason(error)}") from None
    return Model(
        recipe=recipe,
        members=members,
        decision=decision,
        prior=np.array(description.prior),
        target=description.target,
        positive=description.positive,
        device=device,
        versions=description.versions,
        calibrations=calibrations,
    )


def probabilities(logits: np.ndarray, chain: Sequence[tuple[str, FittedCalibration]]) -> np.ndarray:
    """``(n, n_classes)``: the softmax of logits after a chain of calibrations."""
    for _, calibration in chain:
        logits = calibration(logits)
    unscaled = np.exp(logits - logits.max(axis=1, keepdims=True))
    softmax: np.ndarray = unscaled / unscaled.sum(axis=1, keepdims=True)
    return softmax


def again(mean: np.ndarray, chain: Sequence[tuple[str, FittedCalibration]]) -> np.ndarray:
    """``(n, n_classes)`` mean probabilities after a chain of calibrations that were fitted to their logarithm."""
    return probabilities(np.log(np.clip(mean, LEAST, None)), chain) if chain else mean


def _step(name: str, value: object) -> Step:
    assert isinstance(value, BaseModel)
    return Step(name=name, fitted=value.model_dump(mode="json"))


def _loaded(slot: str, step: Step) -> tuple[str, Any]:
    return step.name, methods.load(slot, step.name).fitted(**step.fitted)  # type: ignore[attr-defined]


def _decision(step: Step, n_classes: int) -> tuple[str, Any]:
    name, decision = _loaded("decision", step)
    codes = decision(np.full((1, n_classes), 1 / n_classes))
    require(codes.shape == (1,) and 0 <= codes[0] < n_classes, "the decision fits the classes", classes=n_classes)
    return name, decision


def _network(recipe: Recipe, folder: Path, part: MemberDescription, tensors: dict[str, Any], place: int) -> nn.Module:
    """A member's network with its weights, which are taken out of `tensors`, or the reference in its place with its text."""
    if recipe.reference is None:
        return _weighted(recipe.network, part, tensors, place)
    path, reference = folder / TEXT.format(place=place), cast("Reference", recipe.reference)
    require(path.stat().st_size <= MOST_BYTES, f"{path.name} has at most {MOST_BYTES} bytes", bytes=path.stat().st_size)
    return reference.from_text(path.read_text(encoding="utf-8"), part.prepared.spec)


def _weighted(method: Method, part: MemberDescription, tensors: dict[str, Any], place: int) -> nn.Module:
    import torch

    build: Any = method.build  # type: ignore[attr-defined]
    mine = {name.partition(".")[2]: tensors.pop(name) for name in list(tensors) if name.partition(".")[0] == str(place)}
    # First without memory, so that sizes that the file does not back up take none.
    with torch.device("meta"):
        wanted = {name: (value.shape, value.dtype) for name, value in build(part.prepared.spec).state_dict().items()}
    given = {name: (value.shape, value.dtype) for name, value in mine.items()}
    odd = sorted(name for name in wanted | given if wanted.get(name) != given.get(name))
    require(not odd, "the weights are those of the network", network=method.name, differ=odd[:3])
    bad = sorted(name for name, value in mine.items() if not torch.isfinite(value).all())
    require(not bad, "weights are finite", not_finite=bad[:3])
    network: nn.Module = build(part.prepared.spec)
    network.load_state_dict(mine, strict=True)
    return network


def _member(recipe: Recipe, network: nn.Module, part: MemberDescription, device: str) -> Member:
    from rarebird.training.inference import placement
    from rarebird.training.views import views

    calibrations = _calibrations(part.calibrations, len(part.prepared.classes))
    network = placement(device, part.prepared.spec.kind == "image").place(network)
    return Member(network.eval(), part.prepared, calibrations, views(recipe, part.prepared.spec), part.recipe, part.weight)


def _calibrations(steps: Sequence[Step], n_classes: int) -> list[tuple[str, Any]]:
    calibrations = [_loaded("calibration", step) for step in steps]
    if n_classes:
        flat = probabilities(np.zeros((1, n_classes)), calibrations)
        require(flat.shape == (1, n_classes) and bool(np.isfinite(flat).all()), "calibrations fit the classes", classes=n_classes)
    return calibrations


def _reason(error: Exception) -> str:
    """The first line of what is wrong, in bounds: a foreign file's own values may be part of it."""
    text = methods.sentence(error, "the description", {}) if isinstance(error, ValidationError) else str(error).strip()
    return (text.splitlines() or [type(error).__name__])[0][:300]

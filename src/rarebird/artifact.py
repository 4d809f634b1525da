"""Save and load a fitted model: JSON and safetensors in one folder, never pickle, so that a model file cannot run code."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from rarebird import methods
from rarebird.checks import DataError
from rarebird.data.dataset import Dataset
from rarebird.data.prepare import Prepared
from rarebird.data.spec import InputSpec
from rarebird.methods import Method
from rarebird.protocols import FittedCalibration, FittedDecision
from rarebird.recipe import Recipe

if TYPE_CHECKING:
    from torch import nn

DESCRIPTION, WEIGHTS = "model.json", "weights.safetensors"


class Step(BaseModel):
    """One fitted calibration or decision: the method's name and the fitted value's fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    fitted: dict[str, Any]


class MemberDescription(BaseModel):
    """One network's preparation and its chain of fitted calibrations; its weights stand in the weights file under its place."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prepared: Prepared
    calibrations: tuple[Step, ...]


class Description(BaseModel):
    """What `model.json` holds.

    Attributes:
        prior: Natural class frequencies of the training rows.
    """

    model_config = ConfigDict(extra="forbid")

    format: Literal["rarebird model"] = "rarebird model"
    version: Literal[1] = 1
    recipe: dict[str, Any]
    members: list[MemberDescription]
    target: str
    positive: str | None
    decision: Step | None
    prior: list[float]
    versions: dict[str, str]


@dataclass
class Member:
    """A trained network with what belongs to it alone.

    Attributes:
        prepared: Raw rows -> its inputs, learned from the rows it trained on.
        calibrations: Fitted calibrations with their names, logits -> logits, in order.
    """

    network: nn.Module
    prepared: Prepared
    calibrations: Sequence[tuple[str, FittedCalibration]] = ()

    def logits(self, data: Dataset, device: str) -> np.ndarray:
        """``(n, n_outputs)`` raw outputs."""
        from rarebird.training.inference import logits

        return logits(self.network, self.prepared.inputs(data), device)

    def predict(self, data: Dataset, device: str) -> np.ndarray:
        """``(n, n_classes)`` probabilities under the natural prior, or ``(n, 1)`` values in the target's own unit."""
        outputs = self.logits(data, device)
        return probabilities(outputs, self.calibrations) if self.prepared.classes else self.prepared.values(outputs)


@dataclass
class Model:
    """A fitted model: its members' predictions, averaged; for classes, a decision on top.

    Attributes:
        recipe: How it was trained.
        members: Trained networks; several are averaged as probabilities under the natural prior.
        decision: Name and fitted value, probabilities -> class codes; None for regression.
        prior: ``(n_classes,)`` natural class frequencies of the training rows.
    """

    recipe: Recipe
    members: Sequence[Member]
    decision: tuple[str, FittedDecision] | None
    prior: np.ndarray
    target: str = "target"
    positive: str | None = None
    device: str = "cpu"
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class labels in the order of the probabilities' columns; empty for regression."""
        return self.members[0].prepared.classes

    @property
    def spec(self) -> InputSpec:
        """Shapes of the inputs, as the first member has them."""
        return self.members[0].prepared.spec

    def outputs(self, data: Dataset) -> np.ndarray:
        """``(n, n_classes)`` probabilities, or ``(n, 1)`` values: the mean of the members'.

        Raises:
            DataError: The rows do not fit the model.
        """
        mean: np.ndarray = np.mean([member.predict(data, self.device) for member in self.members], axis=0)
        return mean

    def labels(self, outputs: np.ndarray) -> np.ndarray:
        """``(n,)`` class codes for probabilities ``(n, n_classes)``, or values for ``(n, 1)``."""
        return outputs[:, 0] if self.decision is None else self.decision[1](outputs)

    def save(self, folder: Path) -> None:
        """Write the model's folder under a temporary name, then rename it into place."""
        from safetensors.torch import save_file

        description = Description(
            recipe=self.recipe.plain(),
            members=[
                MemberDescription(prepared=member.prepared, calibrations=tuple(_step(*calibration) for calibration in member.calibrations))
                for member in self.members
            ],
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
        building = folder.with_name(f".{folder.name}.{os.getpid()}")
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(parents=True)
        save_file(tensors, building / WEIGHTS)
        (building / DESCRIPTION).write_text(description.model_dump_json(indent=1), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        building.rename(folder)


def load(folder: Path, device: str = "cpu") -> Model:
    """Read a model's folder; only JSON and safetensors are read, and only methods that stand in a slot's folder are named.

    Args:
        folder: The model's folder, or the run's folder that holds it as ``model``.
        device: Where its networks compute.

    Raises:
        DataError: The folder holds no model, a broken one, or one of another format.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = Path(folder)
    folder = folder / "model" if (folder / "model" / DESCRIPTION).is_file() else folder
    if not (folder / DESCRIPTION).is_file():
        raise DataError(f"{folder} holds no rarebird model; there is no file {DESCRIPTION} in it.")
    try:
        description = Description.model_validate(json.loads((folder / DESCRIPTION).read_text(encoding="utf-8")))
        recipe = Recipe(**description.recipe)
        tensors = load_file(folder / WEIGHTS)
        members = [_member(recipe.network, part, tensors, place, device) for place, part in enumerate(description.members)]
        decision = None if description.decision is None else _loaded("decision", description.decision)
    except (OSError, ValueError, TypeError, RuntimeError, SafetensorError, RecursionError) as error:
        raise DataError(f"{folder} is no model that can be read: {_reason(error)}") from None
    if not members:
        raise DataError(f"{folder} is no model that can be read: it lists no network.")
    return Model(
        recipe=recipe,
        members=members,
        decision=decision,
        prior=np.array(description.prior),
        target=description.target,
        positive=description.positive,
        device=device,
        versions=description.versions,
    )


def probabilities(logits: np.ndarray, chain: Sequence[tuple[str, FittedCalibration]]) -> np.ndarray:
    """``(n, n_classes)``: the softmax of logits after a chain of calibrations."""
    for _, calibration in chain:
        logits = calibration(logits)
    unscaled = np.exp(logits - logits.max(axis=1, keepdims=True))
    softmax: np.ndarray = unscaled / unscaled.sum(axis=1, keepdims=True)
    return softmax


def _step(name: str, value: object) -> Step:
    assert isinstance(value, BaseModel)
    return Step(name=name, fitted=value.model_dump(mode="json"))


def _loaded(slot: str, step: Step) -> tuple[str, Any]:
    return step.name, methods.load(slot, step.name).fitted(**step.fitted)  # type: ignore[attr-defined]


def _member(method: Method, part: MemberDescription, tensors: dict[str, Any], place: int, device: str) -> Member:
    mine = {name.partition(".")[2]: value for name, value in tensors.items() if name.partition(".")[0] == str(place)}
    network: nn.Module = method.build(part.prepared.spec)  # type: ignore[attr-defined]
    network.load_state_dict(mine, strict=True)
    return Member(network.to(device).eval(), part.prepared, [_loaded("calibration", step) for step in part.calibrations])


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return methods.sentence(error, "the description", {})
    return str(error).strip().splitlines()[0][:300]

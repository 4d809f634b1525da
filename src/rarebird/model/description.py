"""The content of a model's `model.json`, and the check that its parts fit together; done before anything is built."""

from __future__ import annotations

import json
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from rarebird.core.checks import DataError, require
from rarebird.core.memory import require_memory
from rarebird.data.prepare import Prepared
from rarebird.data.schema import Schema
from rarebird.data.spec import InputSpec
from rarebird.recipe.recipe import Recipe
from rarebird.slots.starting_weights import StartingWeights

# Memory that a text takes while it is read, as a multiple of its file: numbers of a description become objects.
TEXT_MEMORY = 8
# Inputs are float32 numbers.
LARGEST_SCALE = 3e38


class Step(BaseModel):
    """One fitted calibration or decision: the method's name and the fitted value's fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    fitted: dict[str, Any]


class MemberDescription(BaseModel):
    """One network's preparation and its chain of fitted calibrations; the weights file holds its weights under its
    place.

    Attributes:
        recipe: The place of its recipe among the model's recipes.
        weight: Relative to the weights of the other members.
        started: Where its initial weights come from, with their licence; None where they were newly drawn.
        widths: Group -> channels that remain, of a network that was pruned; None where none were removed.
        precision: Of the weights in the file; computed is in float32.
        onnx: Whether the network is an ONNX file beside the weights (a quantized one).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    prepared: Prepared
    calibrations: tuple[Step, ...]
    recipe: int = Field(default=0, ge=0)
    weight: float = Field(default=1.0, gt=0)
    started: StartingWeights | None = None
    widths: dict[str, int] | None = None
    precision: Literal["float32", "float16", "bfloat16"] = "float32"
    onnx: bool = False


class Description(BaseModel):
    """The content of `model.json`.

    Attributes:
        recipe: The recipe or ensemble that the model was trained with.
        calibrations: Fitted to the mean of the members' probabilities.
        prior: Natural class frequencies of the training rows.
        table_schema: How the cells of a table are read; None for other kinds, and in models of earlier versions.
    """

    model_config = ConfigDict(extra="forbid")

    format: Literal["rarebird model"] = "rarebird model"
    version: Literal[1] = 1
    recipe: dict[str, Any]
    members: list[MemberDescription] = Field(min_length=1)
    calibrations: tuple[Step, ...] = ()
    target: str
    positive: str | None
    decision: Step | None
    prior: list[float]
    table_schema: Schema | None = None
    versions: dict[str, str]


def read(path: Path) -> Description:
    """Read a description, in which every number must be finite."""

    def finite(text: str) -> float:
        number = float(text)
        require(np.isfinite(number), "numbers are finite", number=text)
        return number

    plain = json.loads(read_text(path), parse_float=finite, parse_constant=finite)
    return Description.model_validate(plain)


def read_text(path: Path) -> str:
    """The text of a file of a model's folder."""
    check_file(path, TEXT_MEMORY)
    return path.read_text(encoding="utf-8")


def check_file(path: Path, memory: float) -> None:
    """Check that a file of a model's folder is one, and fits into the memory.

    Args:
        path: The file.
        memory: Memory that it takes while it is read, as a multiple of its size.

    Raises:
        DataError: It is a device or a pipe, which may have no end, or too large for this machine.
        OSError: There is no such file.
    """
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):
        raise DataError(f"{path.name} is not a file, but a device, a pipe or a folder")
    require_memory(memory * state.st_size, f"{path.name}", "use a machine with more memory")


def check(description: Description, recipes: Sequence[Recipe]) -> None:
    """Check that the parts of a description fit together and fit the model's recipes.

    Raises:
        ValueError: They do not fit.
    """
    first = description.members[0].prepared
    n_classes, prior = len(first.classes), description.prior
    require(
        len(prior) == n_classes and min(prior, default=0) >= 0,
        "a prior of at least 0 per class",
        classes=n_classes,
        prior=prior[:5],
    )
    require(
        description.positive is None or description.positive in first.classes,
        "positive is a class",
        positive=description.positive,
    )
    require(
        (description.decision is not None) == (n_classes > 0),
        "a decision for classes, and only for classes",
        classes=n_classes,
    )
    for part in description.members:
        prepared, spec = part.prepared, part.prepared.spec
        require(
            part.recipe < len(recipes),
            "a network's recipe is one of the model's recipes",
            place=part.recipe,
            recipes=len(recipes),
        )
        kind = recipes[part.recipe].kind
        require(spec.kind == kind, "a network has the kind of its recipe", network=spec.kind, recipe=kind)
        require(
            (spec.task, prepared.classes) == (first.spec.task, first.classes),
            "all networks predict the same classes",
            task=spec.task,
        )
        require(
            (spec.task == "classification") == (n_classes > 0) and spec.n_outputs == (n_classes or 1),
            "one output per class",
            outputs=spec.n_outputs,
        )
        _check_scales(spec)
        calibrations = len(part.calibrations) + len(description.calibrations)
        require(n_classes > 0 or not calibrations, "calibrations are for classes", calibrations=calibrations)


def _check_scales(spec: InputSpec) -> None:
    """Check that the scales of channels are float32 numbers, as inputs are."""
    require(
        max(map(abs, (*spec.mean, *spec.std)), default=0.0) <= LARGEST_SCALE,
        f"mean and std of a channel are at most {LARGEST_SCALE:g}",
        mean=spec.mean[:5],
        std=spec.std[:5],
    )

"""A model's folder: JSON, safetensors and text, never pickle, so that a model file cannot run code."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ValidationError

from rarebird.core.atomic_files import whole_folder
from rarebird.core.checks import DataError, require
from rarebird.model import held_out_rows
from rarebird.model.chain import probabilities
from rarebird.model.description import (
    TEXT_MEMORY,
    Description,
    MemberDescription,
    Step,
    check,
    check_file,
    read,
    read_text,
)
from rarebird.model.held_out_rows import HeldOutRows
from rarebird.recipe import ensemble
from rarebird.recipe.ensemble import AnyRecipe
from rarebird.recipe.recipe import Recipe
from rarebird.slots import methods
from rarebird.slots.methods import Method
from rarebird.slots.stored_modules import (
    ArrayModule,
    ArrayReference,
    OnnxModule,
    TextModule,
    TextReference,
    stored_precision,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

DESCRIPTION, WEIGHTS, TEXT = "model.json", "weights.safetensors", "member_{place}.txt"
ONNX = "member_{place}.onnx"
# What people read beside the model; nothing is loaded from them.
MODEL_CARD, DATA_CARD = "MODEL_CARD.md", "DATA_CARD.md"
CARDS = (MODEL_CARD, DATA_CARD)
# Memory that the weights take while they are read, as a multiple of their file.
WEIGHTS_MEMORY = 2


@dataclass(frozen=True)
class Stored:
    """The content of a model's folder, read and checked.

    Attributes:
        description: Everything except the weights.
        recipe: The recipe or ensemble that the model was trained with.
        recipes: The recipe, or the recipes of the ensemble, in the order that `MemberDescription.recipe` counts in.
        networks: One network per member, with its weights.
        decision: Name and fitted value; None for regression.
        member_calibrations: The calibrations of each member.
        calibrations: The calibrations of the members' mean.
        held_out: The held-out rows; None if the folder has none.
        cards: File name -> text of the model card and the data card, those that there are.
    """

    description: Description
    recipe: AnyRecipe
    recipes: Sequence[Recipe]
    networks: Sequence[nn.Module]
    decision: tuple[str, Any] | None
    member_calibrations: Sequence[list[tuple[str, Any]]]
    calibrations: list[tuple[str, Any]]
    held_out: HeldOutRows | None = None
    cards: Mapping[str, str] = field(default_factory=dict)


def write_model(
    folder: Path,
    description: Description,
    networks: Sequence[nn.Module],
    held_out: HeldOutRows | None = None,
    cards: Mapping[str, str] | None = None,
) -> None:
    """Write a model's folder under a temporary name, then rename it into place.

    Raises:
        DataError: The folder holds files that are not a model.
    """
    from safetensors.torch import save_file

    tensors = {
        f"{place}.{name}": value for place, network in enumerate(networks) for name, value in _tensors(network).items()
    }
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / DESCRIPTION).is_file()):
        raise DataError(f"{folder} exists and is no rarebird model; give another folder.")
    with whole_folder(folder) as building:
        save_file(tensors, building / WEIGHTS)
        for place, network in enumerate(networks):
            if isinstance(network, TextModule):
                (building / TEXT.format(place=place)).write_text(network.to_text(), encoding="utf-8")
            if isinstance(network, OnnxModule):
                (building / ONNX.format(place=place)).write_bytes(network.to_onnx())
        if held_out is not None:
            held_out_rows.write(held_out, building / held_out_rows.FILE)
        for name, card in (cards or {}).items():
            (building / name).write_text(card, encoding="utf-8", errors="backslashreplace")
        # On one line: Python's encoder of indented text takes seconds for twenty thousand columns.
        text = json.dumps(description.model_dump(mode="json"), allow_nan=False)
        (building / DESCRIPTION).write_text(text, encoding="utf-8")
        # safetensors makes a file that its owner alone may read; all files of a model get the usual permissions.
        shutil.copymode(building / DESCRIPTION, building / WEIGHTS)


def read_model(folder: Path) -> Stored:
    """Read a model's folder. Only JSON, safetensors and text are read, and only methods in a slot's folder are built.

    Args:
        folder: The model's folder, or the run's folder that holds it as ``model``.

    Raises:
        DataError: The folder holds no model, a broken one, or one in another format.
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
        check_file(folder / WEIGHTS, WEIGHTS_MEMORY)
        tensors = load_file(folder / WEIGHTS)
        networks = [
            _network(recipes[part.recipe], folder, part, tensors, place)
            for place, part in enumerate(description.members)
        ]
        chains = [_calibrations(part.calibrations, len(part.prepared.classes)) for part in description.members]
        require(not tensors, "every tensor belongs to a network", left=sorted(tensors)[:3])
        n_classes = len(description.members[0].prepared.classes)
        decision = None if description.decision is None else _decision(description.decision, n_classes)
        calibrations = _calibrations(description.calibrations, n_classes)
        held_out = _held_out(folder, description, max(n_classes, 1))
        cards = {name: _card(folder / name) for name in CARDS if (folder / name).exists()}
    except Exception as error:  # a file from elsewhere may fail in any way
        raise DataError(f"{folder} is no model that can be read: {_reason(error)}") from None
    return Stored(description, recipe, recipes, networks, decision, chains, calibrations, held_out, cards)


def _held_out(folder: Path, description: Description, n_outputs: int) -> HeldOutRows | None:
    path = folder / held_out_rows.FILE
    if path.exists():
        check_file(path, WEIGHTS_MEMORY)
    return held_out_rows.read(path, n_outputs, description.decision is not None, len(description.members))


def _card(path: Path) -> str:
    check_file(path, TEXT_MEMORY)
    return path.read_text(encoding="utf-8", errors="replace")


def step_of(name: str, value: object) -> Step:
    """A fitted calibration or decision as a part of the description."""
    assert isinstance(value, BaseModel)
    return Step(name=name, fitted=value.model_dump(mode="json"))


def _loaded(slot: str, step: Step) -> tuple[str, Any]:
    return step.name, methods.load(slot, step.name).fitted(**step.fitted)  # type: ignore[attr-defined]


def _decision(step: Step, n_classes: int) -> tuple[str, Any]:
    name, decision = _loaded("decision", step)
    codes = decision(np.full((1, n_classes), 1 / n_classes))
    require(codes.shape == (1,) and 0 <= codes[0] < n_classes, "the decision fits the classes", classes=n_classes)
    return name, decision


def _tensors(network: nn.Module) -> dict[str, Tensor]:
    """What the weights file holds of a network or of a reference in its place."""
    import torch

    if isinstance(network, ArrayModule):
        return {name: torch.from_numpy(array) for name, array in network.to_arrays().items()}
    stored = getattr(torch, stored_precision(network))
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    return {name: value.to(stored) if value.is_floating_point() else value for name, value in tensors.items()}


def _network(recipe: Recipe, folder: Path, part: MemberDescription, tensors: dict[str, Any], place: int) -> nn.Module:
    """A member's network with its weights, which are removed from `tensors`; or the reference in its place, from its
    text or its arrays."""
    given = {
        name.partition(".")[2]: tensors.pop(name) for name in list(tensors) if name.partition(".")[0] == str(place)
    }
    if part.onnx:
        from rarebird.model.onnx_network import checked_network

        require(not given, "a network in an ONNX file has no other weights", tensors=sorted(given)[:3])
        path = folder / ONNX.format(place=place)
        check_file(path, WEIGHTS_MEMORY)
        return checked_network(path.read_bytes(), part.prepared.spec)
    reference = recipe.reference
    if reference is None:
        return _with_weights(recipe.network, part, given)
    path = folder / TEXT.format(place=place)
    if given and isinstance(reference, ArrayReference):
        return reference.from_arrays({name: value.numpy() for name, value in given.items()}, part.prepared.spec)
    require(
        not given and isinstance(reference, TextReference), "a reference has its own text", tensors=sorted(given)[:3]
    )
    assert isinstance(reference, TextReference)
    return reference.from_text(read_text(path), part.prepared.spec)


def _with_weights(method: Method, part: MemberDescription, given: dict[str, Any]) -> nn.Module:
    import torch

    build: Any = method.build  # type: ignore[attr-defined]
    # First built without memory: a description whose sizes do not match the weights must not take any.
    with torch.device("meta"):
        wanted = {name: (value.shape, value.dtype) for name, value in _built(build, part).state_dict().items()}
    stored = getattr(torch, part.precision)
    given = {name: value.float() if value.dtype == stored else value for name, value in given.items()}
    found = {name: (value.shape, value.dtype) for name, value in given.items()}
    different = sorted(name for name in wanted | found if wanted.get(name) != found.get(name))
    require(not different, "the weights are those of the network", network=method.name, differ=different[:3])
    bad = sorted(name for name, value in given.items() if not torch.isfinite(value).all())
    require(not bad, "weights are finite", not_finite=bad[:3])
    network: nn.Module = _built(build, part)
    network.load_state_dict(given, strict=True)
    network.stored_precision = part.precision  # type: ignore[assignment]
    return network


def _built(build: Any, part: MemberDescription) -> nn.Module:
    """A member's network with newly drawn weights, as narrow as it is."""
    from rarebird.methods.network._channels import narrow_to

    network: nn.Module = build(part.prepared.spec)
    if part.widths is not None:
        narrow_to(network, part.widths)
    return network


def _calibrations(steps: Sequence[Step], n_classes: int) -> list[tuple[str, Any]]:
    calibrations = [_loaded("calibration", step) for step in steps]
    if n_classes:
        flat = probabilities(np.zeros((1, n_classes)), calibrations)
        require(
            flat.shape == (1, n_classes) and bool(np.isfinite(flat).all()),
            "calibrations fit the classes",
            classes=n_classes,
        )
    return calibrations


def _reason(error: Exception) -> str:
    """The first line of an error, shortened: it may quote values of a file from elsewhere."""
    text = methods.sentence(error, "the description", {}) if isinstance(error, ValidationError) else str(error).strip()
    return (text.splitlines() or [type(error).__name__])[0][:300]

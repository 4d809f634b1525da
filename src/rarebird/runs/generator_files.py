"""A fitted generator on disk: JSON and safetensors, never pickle. It draws again without learning again, and only for
the training rows that it learned from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from rarebird.core.atomic_files import whole_folder
from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset
from rarebird.data.fingerprint import fingerprint
from rarebird.slots import methods
from rarebird.slots.gate_verdict import GateVerdict
from rarebird.slots.synthetic_rows import Generated

DESCRIPTION, ARRAYS = "generator.json", "generator.safetensors"
# A larger description is not ours.
MOST_BYTES = 200_000_000


class Description(BaseModel):
    """All of a generator but its arrays.

    Attributes:
        format: Of these files.
        method: Name and settings.
        fingerprint: Of the training rows.
        state: What its sampler gave for JSON.
        verdicts: Of the gate.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = 1
    method: dict[str, Any]
    fingerprint: str
    state: dict[str, Any]
    verdicts: tuple[GateVerdict, ...] = ()


def is_there(folder: Path) -> bool:
    """Whether a generator was saved there."""
    return (folder / DESCRIPTION).is_file()


def check_place(folder: Path) -> None:
    """Raises:
    DataError: The folder holds other files.
    """
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not is_there(folder)):
        raise DataError(f"{folder} exists and holds no generator; give --generator another folder.")


def save(folder: Path, method: Any, generated: Generated, train: Dataset, verdicts: tuple[GateVerdict, ...]) -> None:
    """Write a generator's folder under a temporary name, then rename it into place."""
    from safetensors.numpy import save_file

    check_place(folder)
    arrays = {name: np.ascontiguousarray(values) for name, values in generated.sampler.arrays().items()}
    about = Description(
        method=method.settings(),
        fingerprint=fingerprint(train),
        state=generated.sampler.state(),
        verdicts=verdicts,
    )
    with whole_folder(folder) as building:
        save_file(arrays, building / ARRAYS)
        text = json.dumps(about.model_dump(mode="json"), allow_nan=False)
        (building / DESCRIPTION).write_text(text, encoding="utf-8")


def load(folder: Path, train: Dataset) -> tuple[Any, Generated, tuple[GateVerdict, ...]]:
    """Method, generator and verdicts; only methods of the slot `synthesis` are built.

    Raises:
        DataError: The folder holds no generator, a broken one, or one of other training rows.
    """
    from safetensors.numpy import load_file

    try:
        if (folder / DESCRIPTION).stat().st_size > MOST_BYTES:
            raise DataError("its description is too long")
        about = Description.model_validate_json((folder / DESCRIPTION).read_text(encoding="utf-8"))
        method: Any = methods.build("synthesis", about.method)
        arrays = load_file(folder / ARRAYS)
    except Exception as error:  # a file from elsewhere may fail in any way
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{folder} holds no generator that can be read: {why}") from None
    if about.fingerprint != fingerprint(train):
        raise DataError(
            f"The generator in {folder} learned from other rows than the training rows of {train.name}; give "
            "--generator another folder."
        )
    generated: Generated = method.restored(train, about.state, arrays)
    return method, generated, about.verdicts

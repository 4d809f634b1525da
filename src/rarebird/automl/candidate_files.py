"""A finished candidate on disk, so that a killed search can resume: its networks as a model's folder, and its
predictions.

No file can run code: they are JSON, safetensors, and NumPy's own format without pickle.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rarebird.automl.candidate import Candidate
from rarebird.core.atomic_files import whole_folder
from rarebird.data.dataset import Dataset
from rarebird.evaluation.held_outputs import HeldOut, members_of
from rarebird.model.model import Model
from rarebird.model.model import load as load_model
from rarebird.recipe.recipe import Recipe
from rarebird.slots import methods
from rarebird.training.cross_fit import CrossFit
from rarebird.training.trainer import Trained

ABOUT, ROWS, NETWORKS = "candidate.json", "rows.npz", "networks"
# Begins the names of the raw outputs' arrays.
RAW = "raw_"


def save(candidate: Candidate, folder: Path, train: Dataset) -> None:
    """Write a candidate's folder: complete, or not at all.

    Args:
        candidate: A finished candidate.
        folder: The folder to write.
        train: Training rows, for the prior and the target's name.
    """
    models = candidate.models
    with whole_folder(folder) as building:
        if models.trained:
            # A saved model must have a decision; this placeholder is replaced when the search ends.
            argmax: Any = methods.load("decision", "argmax")
            decision = ("argmax", argmax.fitted()) if train.task == "classification" else None
            Model(models.recipe, members_of(models), decision, train.prior, train.target).save(building / NETWORKS)
        arrays: dict[str, Any] = {f"held_{place}": rows for place, rows in enumerate(models.held_rows)}
        if candidate.held is not None:
            arrays |= {RAW + name: values for name, values in vars(candidate.held).items()}
        np.savez(building / ROWS, predicted=candidate.predicted, losses=candidate.losses, **arrays)
        (building / ABOUT).write_text(json.dumps(_description(candidate)), encoding="utf-8")


def load(folder: Path, device: str) -> Candidate:
    """Read a candidate's folder; a candidate whose networks were released has none.

    Raises:
        DataError: The networks cannot be read.
    """
    about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    # A torn file would stay open if NumPy opened it.
    with (folder / ROWS).open("rb") as file, np.load(file, allow_pickle=False) as rows:
        arrays = dict(rows)
    trained = _networks(folder / NETWORKS, about["trained"], device) if (folder / NETWORKS).is_dir() else []
    held = [arrays[f"held_{place}"] for place in range(len(trained))]
    raw = {name.removeprefix(RAW): values for name, values in arrays.items() if name.startswith(RAW)}
    recipe = Recipe.from_toml(about["recipe"])
    return Candidate(
        name=about["name"],
        models=CrossFit(
            recipe,
            trained,
            held,
            ended_by_user=about["ended_by_user"],
            ended_by_clock=about.get("ended_by_clock", False),
        ),
        predicted=arrays["predicted"],
        losses=arrays["losses"],
        seconds=about["seconds"],
        per_row=about["per_row"] if trained else 0.0,
        is_reference=about["is_reference"],
        role=about["role"],
        parent=about["parent"],
        settings=about["settings"],
        held=HeldOut(**raw) if raw else None,
    )


def release(folder: Path) -> None:
    """Delete the weights of a candidate that was beaten; keep its held-out predictions."""
    shutil.rmtree(folder / NETWORKS, ignore_errors=True)


def _description(candidate: Candidate) -> dict[str, object]:
    models = candidate.models
    return {
        "name": candidate.name,
        "recipe": models.recipe.to_toml(),
        "ended_by_user": models.ended_by_user,
        "ended_by_clock": models.ended_by_clock,
        "seconds": candidate.seconds,
        "per_row": candidate.per_row,
        "is_reference": candidate.is_reference,
        "role": candidate.role,
        "parent": candidate.parent,
        "settings": dict(candidate.settings),
        "trained": [
            {
                "prior_factor": None if one.prior_factor is None else one.prior_factor.tolist(),
                "own_outputs": None if one.own_outputs is None else one.own_outputs.tolist(),
                "history": one.history,
                "changes": one.changes,
                "notes": one.notes,
                "ended": one.ended,
            }
            for one in models.trained
        ],
    }


def _networks(folder: Path, about: Sequence[Mapping[str, Any]], device: str) -> list[Trained]:
    members = load_model(folder, device).members
    return [
        Trained(
            member.network,
            member.prepared,
            _array(known["prior_factor"]),
            known["history"],
            [(step, steps) for step, steps in known["changes"]],
            known["notes"],
            known["ended"],
            _array(known["own_outputs"]),
            member.started,
        )
        for member, known in zip(members, about, strict=True)
    ]


def _array(values: Sequence[Any] | None) -> np.ndarray | None:
    return None if values is None else np.array(values)

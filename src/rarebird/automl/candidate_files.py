"""A finished candidate on disk, so that a search that was killed is gone on with: its networks as a model's folder, its
predictions beside.

Nothing of it can run code: JSON, safetensors and NumPy's own format without pickle.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rarebird.automl.candidate import Candidate, members_of
from rarebird.core.atomic_files import whole_folder
from rarebird.data.dataset import Dataset
from rarebird.model import model
from rarebird.model.model import Model
from rarebird.recipe.recipe import Recipe
from rarebird.slots import methods
from rarebird.training.cross_fit import Team
from rarebird.training.network_trainer import Trained

if TYPE_CHECKING:
    from torch import nn

    from rarebird.data.prepare import Prepared

ABOUT, ROWS, NETWORKS = "candidate.json", "rows.npz", "networks"


def save(candidate: Candidate, folder: Path, train: Dataset) -> None:
    """Write a candidate's folder, whole or not at all.

    Args:
        candidate: A finished one.
        folder: Its own.
        train: Training rows, for what a model says of its data.
    """
    team = candidate.team
    with whole_folder(folder) as building:
        if team.trained:
            # A model decides; what this one would say is of no account until the search has its end.
            argmax: Any = methods.load("decision", "argmax")
            decision = ("argmax", argmax.fitted()) if train.task == "classification" else None
            Model(team.recipe, members_of(team), decision, train.prior, train.target).save(building / NETWORKS)
        arrays: dict[str, Any] = {f"held_{place}": rows for place, rows in enumerate(team.held_rows)}
        np.savez(building / ROWS, predicted=candidate.predicted, losses=candidate.losses, **arrays)
        (building / ABOUT).write_text(json.dumps(_about(candidate)), encoding="utf-8")


def load(folder: Path, device: str) -> Candidate:
    """Read a candidate's folder; one whose networks were let go has none.

    Raises:
        DataError: It holds no networks that can be read.
    """
    about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    with np.load(folder / ROWS, allow_pickle=False) as rows:
        arrays = dict(rows)
    trained = _networks(folder / NETWORKS, about["trained"], device) if (folder / NETWORKS).is_dir() else []
    held = [arrays[f"held_{place}"] for place in range(len(about["trained"]))]
    recipe = Recipe.from_toml(about["recipe"])
    team = Team(recipe, trained, held if trained else [], ended_by_user=about["ended_by_user"])
    return Candidate(
        name=about["name"],
        team=team,
        predicted=arrays["predicted"],
        losses=arrays["losses"],
        seconds=about["seconds"],
        per_row=about["per_row"] if trained else 0.0,
        is_reference=about["is_reference"],
        settings=about["settings"],
    )


def let_go(folder: Path) -> None:
    """Remove the networks of a candidate that cannot ship any more; what it said stays."""
    shutil.rmtree(folder / NETWORKS, ignore_errors=True)


def _about(candidate: Candidate) -> dict[str, object]:
    team = candidate.team
    return {
        "name": candidate.name,
        "recipe": team.recipe.to_toml(),
        "ended_by_user": team.ended_by_user,
        "seconds": candidate.seconds,
        "per_row": candidate.per_row,
        "is_reference": candidate.is_reference,
        "settings": candidate.settings,
        "trained": [
            {
                "prior_factor": None if one.prior_factor is None else one.prior_factor.tolist(),
                "history": one.history,
                "changes": one.changes,
                "notes": one.notes,
                "ended": one.ended,
            }
            for one in team.trained
        ],
    }


def _networks(folder: Path, about: Sequence[dict[str, object]], device: str) -> list[Trained]:
    members = model.load(folder, device).members
    return [_trained(member.network, member.prepared, **said) for member, said in zip(members, about, strict=True)]  # type: ignore[arg-type]


def _trained(
    network: nn.Module,
    prepared: Prepared,
    prior_factor: list[float] | None,
    history: list[dict[str, float]],
    changes: list[list[int]],
    notes: list[str],
    ended: str,
) -> Trained:
    factor = None if prior_factor is None else np.array(prior_factor)
    return Trained(network, prepared, factor, history, [(first, second) for first, second in changes], notes, ended)

"""The checkpoints of a run in its folder: which of them are continued, and when they are removed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rarebird.core.atomic_files import whole_file
from rarebird.core.checks import DataError
from rarebird.core.version import VERSION
from rarebird.recipe.ensemble import AnyRecipe
from rarebird.runs import folder
from rarebird.runs.output_folder import OutputFolder, owned_folder
from rarebird.runs.request import Request
from rarebird.runs.resumable_work import ResumableWork

# The folder within a run's folder, and the file that says what is trained there.
CHECKPOINTS, ABOUT = "checkpoints", "about.json"
NOTHING_TO_RESUME = "No checkpoint had been written, so that there was nothing to resume: the training began anew."


@contextmanager
def training_folder(request: Request, resume: bool) -> Iterator[OutputFolder]:
    """The folder of a run of one recipe, owned by this process; checkpoints stay in it, whatever ends the training.

    Raises:
        DataError: The folder cannot be used, or holds a training that did not end and is not to be resumed.
    """
    with owned_folder(request, folder.FILES, (CHECKPOINTS,), resume) as out:
        ResumableWork("training", [CHECKPOINTS], has_any, NOTHING_TO_RESUME).begin(out, resume, request.force)
        try:
            yield out
            out.remove([CHECKPOINTS])
        except BaseException as error:
            if has_any(out.path):
                error.add_note(f"{out.path} keeps checkpoints: --resume continues from the last one.")
            else:
                out.remove([CHECKPOINTS])
                out.finished()
            raise


def has_any(path: Path) -> bool:
    """Whether a run's folder holds a checkpoint."""
    return any((path / CHECKPOINTS).rglob("*.safetensors"))


def opened(out: OutputFolder, recipe: AnyRecipe, fingerprint: str, ranks: int) -> Path:
    """The folder of a run's checkpoints; what is in it belongs to this training.

    Args:
        out: The run's folder.
        recipe: What is trained.
        fingerprint: Of the training rows.
        ranks: How many processes train together.

    Raises:
        DataError: The checkpoints in it are of another training.
    """
    about = {"version": VERSION, "processes": ranks, "training rows": fingerprint, "recipe": recipe.to_toml()}
    place = out.path / CHECKPOINTS
    if has_any(out.path):
        known = json.loads((place / ABOUT).read_text(encoding="utf-8"))
        if different := [name for name, value in about.items() if known.get(name) != value]:
            raise DataError(
                f"The checkpoints in {out.path} are of a training with another {' and '.join(different)}; give the "
                "same data, recipe and --devices, or --force to start anew."
            )
        return place
    out.announce([f"{CHECKPOINTS}/"], unfinished=True)
    place.mkdir(exist_ok=True)
    with whole_file(place / ABOUT) as building:
        building.write_text(json.dumps(about, indent=1), encoding="utf-8")
    return place

"""The folder of a run: data.json, recipe.toml, model/, result.json, report.html, written beside its place and then renamed into it."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

from rarebird.checks import DataError
from rarebird.clock import Clock
from rarebird.data.fingerprint import fingerprint
from rarebird.data.profile import Profile
from rarebird.experiment import Outcome
from rarebird.report.html import write_report

RECIPE, RESULT, REPORT, DATA, MODEL = "recipe.toml", "result.json", "report.html", "data.json", "model"


def default_folder(name: str) -> Path:
    """``runs/NAME-DATE``."""
    return Path("runs") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"


def check_free(folder: Path) -> None:
    """The folder can be written: it does not exist, is empty, or is an earlier run, which will be replaced.

    Raises:
        DataError: It holds something else, or is a file.
    """
    if folder.is_file():
        raise DataError(f"{folder} is a file; give a folder for the run with --out.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / RESULT).is_file():
        raise DataError(f"{folder} exists and is not a run of rarebird; give another folder with --out.")


def write(folder: Path, outcome: Outcome, profile: Profile, clock: Clock) -> None:
    """Write everything of a run; nothing half-written is ever seen under the folder's own name.

    `outcome.result` is completed with the paths of the model and the report, and with the seconds.
    """
    result = outcome.result
    result.model, result.report = str(folder / MODEL), str(folder / REPORT)
    building = folder.with_name(f".{folder.name}.{os.getpid()}")
    building.mkdir(parents=True)
    try:
        outcome.model.save(building / MODEL)
        (building / RECIPE).write_text(outcome.recipe.to_toml(), encoding="utf-8")
        data = {"fingerprint": fingerprint(outcome.splits.train), "profile": profile.model_dump(mode="json")}
        (building / DATA).write_text(json.dumps(data, indent=1, ensure_ascii=False), encoding="utf-8")
        result.seconds = round(clock.elapsed(), 2)
        write_report(building / REPORT, result, outcome.recipe.to_toml(), profile.to_text(), profile.model_dump(mode="json"))
        result.seconds = round(clock.elapsed(), 2)
        (building / RESULT).write_text(result.to_json(), encoding="utf-8")
        if folder.is_dir():
            shutil.rmtree(folder)
        building.rename(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)

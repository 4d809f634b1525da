"""What the report of a run shows, read from the run's folder: nothing is trained, and no data are read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from rarebird.core.checks import DataError
from rarebird.evaluation.result import Result
from rarebird.profile.facts import Profile
from rarebird.profile.findings import without_rows
from rarebird.report.profile_text import to_text
from rarebird.report.sections.section import RunContents
from rarebird.runs.file_names import DATA, RESULT


def read_result(run: Path) -> Result:
    """The result of a run.

    Raises:
        DataError: The folder holds no finished run, or its result cannot be read.
    """
    if not (run / RESULT).is_file():
        raise DataError(f"{run} is no run of `rarebird fit`; give the folder that it wrote.")
    try:
        return Result.model_validate_json((run / RESULT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise DataError(f"{run / RESULT} cannot be read; train the run again.") from None


def read_about(run: Path) -> dict[str, Any]:
    """What a run's folder tells of its data; empty where it tells nothing.

    Raises:
        DataError: The file is damaged.
    """
    path = run / DATA
    if not path.is_file():
        return {}
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise DataError(f"{path} cannot be read; train the run again.") from None
    return plain if isinstance(plain, dict) else {}


def contents_of(run: Path, result: Result, recipe_toml: str) -> RunContents:
    """What the report of a run shows, from its folder.

    Args:
        run: The folder.
        result: The run's result.
        recipe_toml: Its recipe.

    Raises:
        DataError: The folder's description of the data is damaged.
    """
    about = read_about(run)
    try:
        profile = Profile.model_validate(about["profile"]) if "profile" in about else None
    except ValueError:
        profile = None  # of another version; the report does without it
    contents = RunContents(
        result,
        recipe_toml,
        {} if profile is None else profile.model_dump(mode="json"),
        "" if profile is None else to_text(profile),
        data=str(about.get("data", "")),
        command=str(about.get("command", "")),
        fingerprints={
            part: str(about[key])
            for part, key in (("train", "fingerprint"), ("test", "test_fingerprint"))
            if about.get(key)
        },
        folder=run,
    )
    return contents if about.get("shows_rows", True) else without_single_rows(contents)


def without_single_rows(contents: RunContents) -> RunContents:
    """The contents of a page that shows no single row."""
    if not contents.profile:
        return replace(contents, shows_rows=False)
    profile = without_rows(Profile.model_validate(dict(contents.profile)))
    return replace(contents, shows_rows=False, profile=profile.model_dump(mode="json"), profile_text=to_text(profile))

"""A fit from the command line, as the other benchmarks time it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def fit(train: Path, test: Path | None, *options: str, settings: Sequence[str] = ()) -> tuple[dict[str, Any], float]:
    """Run ``rarebird fit`` in a process of its own: the object that it prints, and its seconds from start to end.

    Args:
        train, test: Files of rows; None: test rows are held out.
        options: Words of the command line, such as ``"--seed", "0"``.
        settings: ``KEY=VALUE`` of the recipe.

    Raises:
        subprocess.CalledProcessError: The command failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "rarebird",
            "fit",
            str(train),
            "--out",
            f"{folder}/run",
            "--json",
            *options,
        ]
        command += [] if test is None else ["--test", str(test)]
        command += [word for setting in settings for word in ("--set", setting)]
        start = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return json.loads(done.stdout), time.monotonic() - start


def test_metrics(found: dict[str, Any]) -> dict[str, float]:
    """Test metric -> value, of the object that a fit prints."""
    return {name: entry["value"] for name, entry in found["metrics"].items()}

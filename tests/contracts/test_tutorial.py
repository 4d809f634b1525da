"""The method of `docs/adding-a-method.md`, dropped into a copy of the package as the page says, keeps every contract,
passes its own test, is listed, and can be compared."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

PROJECT = Path(__file__).resolve().parents[2]
PAGE = (PROJECT / "docs" / "adding-a-method.md").read_text(encoding="utf-8")
# A comparison that takes seconds.
SHORT = ("--steps", "3", "--folds", "2", "--repeats", "1", "--set", "network=linear")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package and its contract tests, with the files of the page, and a table."""
    folder = tmp_path_factory.mktemp("copy")
    ignored = shutil.ignore_patterns("__pycache__", "test_tutorial.py")
    shutil.copytree(PROJECT / "src" / "rarebird", folder / "src" / "rarebird", ignore=ignored)
    shutil.copytree(PROJECT / "tests" / "contracts", folder / "tests" / "contracts", ignore=ignored)
    for package in ("", "methods", "methods/loss"):
        (folder / "tests" / package).mkdir(parents=True, exist_ok=True)
        (folder / "tests" / package / "__init__.py").touch()
    shutil.copy(PROJECT / "pyproject.toml", folder)
    written = re.findall(r'```py title="(.+?)"\n(.*?)```', PAGE, flags=re.DOTALL)
    assert len(written) == 2
    for name, text in written:
        assert not (PROJECT / name).exists()
        (folder / name).write_text(text, encoding="utf-8")
    y = np.arange(60) % 3 == 0
    rows = pd.DataFrame({"a": np.random.default_rng(0).normal(y), "outcome": np.where(y, "ill", "well")})
    rows.to_csv(folder / "patients.csv", index=False)
    return folder


@pytest.mark.parametrize("line", re.findall(r"^(?:python -m|rarebird) .*$", PAGE, flags=re.MULTILINE))
def test_the_commands_of_the_page_work_with_its_method(line: str, copy: Path) -> None:
    words = shlex.split(line)
    if words[:2] == ["rarebird", "compare"]:
        words += SHORT
    start = [sys.executable, "-m"]
    command = [*start, *words[2:]] if words[0] == "python" else [*start, *words]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(copy / "src"), str(copy)]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    if words[0] == "python":
        passed = re.search(r"(\d+) passed", done.stdout + done.stderr)
        assert passed is None or int(passed[1]) > 30
        assert "failed" not in done.stdout
        assert done.stdout.count(".") > 30  # a dot for each test of the method
    elif words[1] == "list":
        assert re.search(r"^  poly +Poly-1: cross entropy", done.stdout, flags=re.MULTILINE)
    else:
        assert "loss=poly" in done.stdout

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
# The commands of the page, in one process.
RUN = """
import sys
import pytest
import rarebird.cli


def test_commands(monkeypatch):
    from rarebird.slots import methods

    assert any(name.startswith("poly") for name in methods.names("loss"))
    for words in {commands}:
        monkeypatch.setattr(sys, "argv", ["rarebird", *words])
        with pytest.raises(SystemExit) as end:
            rarebird.cli.main()
        assert not end.value.code
"""
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


def test_the_commands_of_the_page_work_with_its_method(copy: Path) -> None:
    asked, *commands = re.findall(r"^(?:python -m|rarebird) .*$", PAGE, flags=re.MULTILINE)
    assert [line.split()[1] for line in commands] == ["list", "compare"]
    # The commands run in the process of the tests of the method: the start of another takes longer than they do.
    program = RUN.format(
        commands=[[*shlex.split(line)[1:], *(SHORT if "compare" in line else ())] for line in commands]
    )
    (copy / "tests" / "test_commands.py").write_text(program, encoding="utf-8")
    command = [sys.executable, "-W", "ignore", *shlex.split(asked)[1:], "-v", "-s", "tests/test_commands.py"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(copy / "src"), str(copy)]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) > 25
    assert re.search(r"^  poly +Poly-1: cross entropy", done.stdout, flags=re.MULTILINE)
    assert "loss=poly" in done.stdout.partition("Poly-1")[2]

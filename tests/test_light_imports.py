"""Modules marked (T) in the architecture import no torch, pandas, scikit-learn or drawing library; checked in a fresh
interpreter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1] / "src" / "rarebird"
LIGHT = [
    "core",
    "data",
    "metrics",
    "slots",
    "readers",
    "executors",
    "methods/resampling",
    "methods/batch_sampling",
    "methods/calibration",
    "methods/decision",
    "recipe",
    "profile",
    "report",
    "report/pages",
    "report/figures",
    "report/language",
]
# `cli.commands` imports the files of all commands.
FILES = [
    "__init__",
    "sampling",
    "losses",
    "augment",
    "decide",
    "evaluation.result",
    "runs.request",
    "cli",
    "cli.start",
    "cli.commands",
]
HEAVY = ("torch", "pandas", "sklearn", "matplotlib", "PIL", "scipy")


def light_modules() -> list[str]:
    modules = ["rarebird" if name == "__init__" else f"rarebird.{name}" for name in FILES]
    for folder in LIGHT:
        paths = sorted((ROOT / folder).glob("*.py"))
        modules += [".".join(["rarebird", *folder.split("/"), path.stem]).removesuffix(".__init__") for path in paths]
    return modules


def loaded_after(code: str) -> set[str]:
    """Top-level names in `sys.modules` of a fresh interpreter after running `code`."""
    script = f"import sys\n{code}\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_light_modules_import_nothing_heavy() -> None:
    loaded = loaded_after("\n".join(f"import {module}" for module in light_modules()))
    assert not loaded & set(HEAVY)


def test_import_rarebird_imports_no_numpy_either() -> None:
    assert not loaded_after("import rarebird") & {*HEAVY, "numpy", "pydantic"}


@pytest.mark.parametrize("arguments", [["--help"], ["list", "loss"]])
def test_help_and_listing_stay_light(arguments: list[str]) -> None:
    code = (
        f"sys.argv = ['rarebird', *{arguments!r}]\nfrom rarebird import cli\n"
        "try:\n    cli.main()\nexcept SystemExit as end:\n    assert not end.code"
    )
    assert not loaded_after(code) & set(HEAVY)

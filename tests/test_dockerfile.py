"""The Dockerfile names what exists: files, targets of make, stages, and the command that the package installs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
LINES = [line for line in TEXT.replace("\\\n", " ").splitlines() if line.strip() and not line.startswith("#")]


def arguments(instruction: str) -> list[str]:
    """What follows an instruction, line by line."""
    return [line.partition(" ")[2].strip() for line in LINES if line.startswith(f"{instruction} ")]


def test_files_that_are_copied_exist() -> None:
    copied = [word for line in arguments("COPY") if "--from" not in line for word in line.split()[:-1]]
    assert {"pyproject.toml", "constraints.txt", "Makefile", "src"} <= set(copied)
    assert not [word for word in copied if not (ROOT / word).exists()]


def test_targets_of_make_exist_and_are_those_of_ci() -> None:
    targets = re.findall(r"^make ([a-z -]+)$", "\n".join(arguments("RUN")), flags=re.MULTILINE)
    named = {target for group in targets for target in group.split()}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {"install", "lint", "types", "test", "docs"} <= named
    assert not [target for target in named if f"\n{target}:" not in makefile]


def test_stages_follow_one_another_and_the_command_is_the_packages() -> None:
    known: list[str] = []
    for line in arguments("FROM"):
        image, _, name = re.sub(r"\s+AS\s+", " AS ", line, flags=re.IGNORECASE).partition(" AS ")
        assert image in known or re.fullmatch(r"python:3\.\d+-slim", image)
        known.append(name)
    assert known[-1] == "product", "the last stage is the one that is built"
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    (entry,) = arguments("ENTRYPOINT")
    assert entry.strip('[]"').rsplit("/", maxsplit=1)[-1] in scripts
    assert "USER rarebird" in LINES, "no process of a user's data is root"


def test_what_is_built_is_not_sent_to_the_image() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert {".git", ".venv", "build", "runs"} <= set(ignored)

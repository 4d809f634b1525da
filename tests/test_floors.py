"""Imports run downward: a file imports from lower floors or its own folder, and floors 2 to 4 reach methods only through `methods.load`."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1] / "src" / "rarebird"
FLOORS: tuple[tuple[str, ...], ...] = (
    ("checks", "rng", "methods", "ranges", "clock", "writing"),
    ("data", "metrics", "stages", "recipe", "ensemble"),
    ("protocols", "result", "network", "readers", "training", "executors", "description", "artifact", "defaults"),
    ("remedies", "regularization", "compression", "references", "report", "scoring"),
    ("staging", "member", "reference_bench", "networks", "judging", "distilling", "experiment"),
    ("prediction", "run_folder", "fitting", "preview", "evaluation", "rate_range"),
    ("search",),
    ("estimator", "demo"),
    ("cli",),
)
# Between files of one floor: who may import whom, apart from files of one folder.
SAME_FLOOR = {
    ("methods", "checks"),
    ("methods", "ranges"),
    ("ranges", "checks"),
    ("clock", "checks"),
    ("metrics", "data"),
    ("recipe", "stages"),
    ("ensemble", "recipe"),
    ("protocols", "result"),
    ("network", "protocols"),
    ("readers", "protocols"),
    ("training", "protocols"),
    ("artifact", "description"),
    ("artifact", "protocols"),
    ("artifact", "training"),
    ("member", "staging"),
    ("networks", "member"),
    ("networks", "reference_bench"),
    ("experiment", "networks"),
    ("reference_bench", "member"),
    ("experiment", "judging"),
    ("judging", "networks"),
    ("distilling", "networks"),
    ("experiment", "distilling"),
    ("fitting", "run_folder"),
    ("evaluation", "fitting"),
    ("evaluation", "preview"),
    ("evaluation", "run_folder"),
}
FLOOR_OF = {name: number for number, names in enumerate(FLOORS, start=1) for name in names}
FILES = sorted(path for path in ROOT.rglob("*.py") if path.relative_to(ROOT).parts != ("__init__.py",))


def imported(path: Path) -> set[tuple[str, ...]]:
    """The rarebird modules that a file imports anywhere, type-checking blocks included, without the leading `rarebird`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {tuple(alias.name.split(".")) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            base = tuple(node.module.split("."))
            found |= {(*base, alias.name) for alias in node.names}
    return {module[1:] for module in found if module[0] == "rarebird" and module[1:] not in {(), ("__version__",)}}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_downward(path: Path) -> None:
    home = path.relative_to(ROOT).with_suffix("").parts[0]
    assert home in FLOOR_OF, f"{home} stands on no floor"
    for module in imported(path):
        other = module[0]
        assert other in FLOOR_OF, f"{path.name} imports {other}, which stands on no floor"
        lower = FLOOR_OF[other] < FLOOR_OF[home]
        assert lower or other == home or (home, other) in SAME_FLOOR, (
            f"{path.relative_to(ROOT)} imports upward or sideways: {'.'.join(module)}"
        )


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if 2 <= FLOOR_OF[path.relative_to(ROOT).parts[0].removesuffix(".py")] <= 4],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_methods_are_reached_by_name_only(path: Path) -> None:
    from rarebird.methods import SLOTS, names

    method_files = {tuple(folder.split("/")) + (name,) for slot, folder in SLOTS.items() for name in names(slot)}
    own_folder = path.relative_to(ROOT).parts[:-1]
    for module in imported(path):
        for end in range(1, len(module) + 1):
            if module[:end] in method_files:
                assert module[: end - 1] == own_folder, (
                    f"{path.relative_to(ROOT)} imports the method {'.'.join(module[:end])}; use methods.load"
                )


def test_every_floor_entry_that_exists_is_a_file_or_folder() -> None:
    standing = {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in FILES}
    assert standing <= set(FLOOR_OF)

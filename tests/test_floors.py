"""The plan of the house: packages in one order, imports downward, no circle of files, and methods reached by name."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from rarebird.slots.methods import SLOTS, names

ROOT = Path(__file__).resolve().parents[1] / "src" / "rarebird"
# A file imports from packages before its own in this list, or from its own.
ORDER = (
    "core",
    "data",
    "metrics",
    "slots",
    "readers",
    "executors",
    "methods",
    "losses",
    "augment",
    "sampling",
    "recipe",
    "profile",
    "training",
    "model",
    "decide",
    "evaluation",
    "explanation",
    "compression",
    "experiment",
    "report",
    "runs",
    "comparison",
    "diagnostics",
    "tuning",
    "automl",
    "estimator",
    "tracking",
    "cli",
    "__main__",
)
FILES = sorted(ROOT.rglob("*.py"))
# The public face names everything and imports the version alone; what it looks up by name is not an import.
FACE = ROOT / "__init__.py"
INSIDE = [path for path in FILES if path != FACE]


def module_of(path: Path) -> tuple[str, ...]:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


MODULES = {module_of(path): path for path in FILES}


def imported(path: Path) -> set[tuple[str, ...]]:
    """The rarebird modules that a file imports anywhere: within functions and type-checking blocks, too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            wanted = [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            base = tuple((node.module or "").split("."))
            wanted = [(*base, alias.name) for alias in node.names]
        else:
            continue
        for name in wanted:
            if name[0] == "rarebird":
                inside = name[1:]
                found.add(inside if inside in MODULES else inside[:-1])
    return found


@cache
def edges() -> dict[Path, set[Path]]:
    """For each file, the files that it imports."""
    return {path: {MODULES[module] for module in imported(path) if module in MODULES} - {path, FACE} for path in FILES}


def test_every_package_stands_in_the_order_and_the_order_names_nothing_else() -> None:
    assert {module_of(path)[0] for path in INSIDE} == set(ORDER)


def test_the_root_holds_packages_and_three_files() -> None:
    entries = {path.name for path in ROOT.iterdir() if path.name != "__pycache__"}
    assert {name for name in entries if not (ROOT / name).is_dir()} == {
        "__init__.py",
        "__main__.py",
        "py.typed",
    }
    assert len(entries) <= 32


def test_imports_run_downward() -> None:
    place = {package: number for number, package in enumerate(ORDER)}
    upward = [
        f"{'.'.join(module_of(path))} imports {'.'.join(module_of(other))}, which is above it"
        for path in INSIDE
        for other in edges()[path]
        if place[module_of(other)[0]] > place[module_of(path)[0]]
    ]
    assert sum(map(len, edges().values())) > 5 * len(FILES) / 2, "imports are found"
    assert not upward, "\n".join(upward)


def test_no_file_imports_itself_by_way_of_others() -> None:
    done: set[Path] = set()

    def visit(path: Path, way: list[Path]) -> None:
        assert path not in way, "a circle: " + " -> ".join(".".join(module_of(one)) for one in [*way, path])
        if path not in done:
            for other in sorted(edges()[path]):
                visit(other, [*way, path])
            done.add(path)

    for path in INSIDE:
        visit(path, [])
    assert len(done) == len(INSIDE)


def test_methods_are_reached_by_name_only() -> None:
    methods = {MODULES["methods", slot, name] for slot in SLOTS for name in names(slot)}
    assert len(methods) > 80
    faults = [
        f"{path.relative_to(ROOT)} imports the method {other.stem}; use methods.load"
        for path in INSIDE
        for other in edges()[path] & methods
        if other.parent != path.parent
    ]
    assert not faults, "\n".join(faults)


def test_slots_share_no_file() -> None:
    faults = [
        f"{path.relative_to(ROOT)} imports from the slot {module_of(other)[1]}"
        for path in INSIDE
        for other in edges()[path]
        if module_of(path)[0] == module_of(other)[0] == "methods" and module_of(path)[1] != module_of(other)[1]
    ]
    assert not faults, "\n".join(faults)


def test_the_slots_are_the_folders_of_the_catalog() -> None:
    folders = {path.name for path in (ROOT / "methods").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(SLOTS)

"""The measures of the house: short functions, few parameters, short files, lines that fit, and names that say what a
file is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "rarebird"
MOST_LINES_IN_FUNCTION = 50
MOST_PARAMETERS = 8
MOST_LINES_IN_FILE = 300
MOST_COLUMNS = 120
# Words to the tools at a line's end, which cannot move to another line; ruff's E501 leaves them out, too.
PRAGMA = re.compile(r"\s*#\s*(type: ignore|noqa)\b.*$")
BANNED_NAMES = ("utils", "helpers", "common", "manager", "engine")
# Constructors of estimators list their parameters: scikit-learn asks for it.
ESTIMATOR = SOURCE / "estimator"

FILES = sorted(SOURCE.rglob("*.py"))
ALL_FILES = [*FILES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "benchmarks").rglob("*.py"))]

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def functions(path: Path) -> Iterator[Function]:
    """Functions and methods of a file, also those within others."""
    for node in ast.walk(ast.parse(text_of(path))):
        if isinstance(node, Function):
            yield node


def is_command(function: Function, path: Path) -> bool:
    """Whether a function of the command line is decorated as a command: typer reads its options from the parameters."""
    if path.parent != SOURCE / "cli":
        return False
    called = [one.func if isinstance(one, ast.Call) else one for one in function.decorator_list]
    return any(isinstance(one, ast.Attribute) and one.attr in ("command", "callback") for one in called)


def is_exempt(function: Function, path: Path) -> bool:
    return (path.parent == ESTIMATOR and function.name == "__init__") or is_command(function, path)


def n_parameters(function: Function) -> int:
    """Parameters of a function, without `self` and `cls`."""
    given = function.args
    plain = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    starred = [one.arg for one in (given.vararg, given.kwarg) if one is not None]
    return len([name for name in (*plain, *starred) if name not in ("self", "cls")])


def n_lines(function: Function) -> int:
    """Lines of a function from its `def` to its end, the docstring among them."""
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def refuse(faults: list[str], rule: str) -> None:
    assert not faults, f"{rule}:\n" + "\n".join(faults)


def test_functions_are_short_and_take_few_parameters() -> None:
    faults, seen = [], 0
    for path, function in [(file, function) for file in FILES for function in functions(file)]:
        seen += 1
        if is_exempt(function, path):
            continue
        where = f"{name_of(path)}:{function.lineno} {function.name}"
        if (lines := n_lines(function)) > MOST_LINES_IN_FUNCTION:
            faults.append(f"{where} has {lines} lines")
        if (parameters := n_parameters(function)) > MOST_PARAMETERS:
            faults.append(f"{where} has {parameters} parameters")
    assert seen > 1000
    refuse(faults, f"A function has at most {MOST_LINES_IN_FUNCTION} lines and {MOST_PARAMETERS} parameters")


def test_files_are_short() -> None:
    lengths = {path: len(text_of(path).splitlines()) for path in FILES}
    faults = [f"{name_of(path)} has {n} lines" for path, n in lengths.items() if n > MOST_LINES_IN_FILE]
    refuse(faults, f"A file has at most {MOST_LINES_IN_FILE} lines")


def test_lines_fit() -> None:
    faults = [
        f"{name_of(path)}:{number} is {width} wide"
        for path in ALL_FILES
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        if (width := len(PRAGMA.sub("", line))) > MOST_COLUMNS
    ]
    refuse(faults, f"A line is at most {MOST_COLUMNS} wide")


def test_every_module_has_a_docstring() -> None:
    faults = [name_of(path) for path in FILES if not (ast.get_docstring(ast.parse(text_of(path))) or "").strip()]
    refuse(faults, "A module says in its docstring what it is")


def test_no_file_or_package_has_a_name_that_says_nothing() -> None:
    faults = [
        name_of(path)
        for path in ALL_FILES
        if any(part.removesuffix(".py").strip("_") in BANNED_NAMES for part in path.relative_to(ROOT).parts)
    ]
    refuse(faults, f"None of {', '.join(BANNED_NAMES)} names a file or package")


def test_the_type_of_a_progress_callback_is_spelled_once() -> None:
    """Everywhere else it is `Progress`."""
    spelled = [
        f"{name_of(path)}:{node.lineno}"
        for path in FILES
        for node in ast.walk(ast.parse(text_of(path)))
        if isinstance(node, ast.Subscript) and ast.unparse(node) == "Callable[[float, str], bool]"
    ]
    expected = [name_of(SOURCE / "core" / "progress.py")]
    assert [place.partition(":")[0] for place in spelled] == expected, spelled
    assert "Progress = Callable[[float, str], bool]" in text_of(SOURCE / "core" / "progress.py")

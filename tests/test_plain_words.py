"""What users read is plain: no archaic words, no sentence that had to be read twice."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "rarebird"
# Each is a word or a turn of a sentence that users had to read twice, or its kin.
BANNED = (
    r"\bails?\b",
    r"\bbears? (a label|that out|out)\b",
    r"\bbear(s|ing)? that\b",
    r"which no (training|network) s(ees|aw)\b",
    r"\bno training s(ees|aw)\b",
    r"asks? for every class alike",
    r"four times in five",
    r"leaves? out the dashed",
    r"had not ended",
    r"one training more",
    r"[Ll]eaks were looked for",
    r"\bmore is better\b",
    r"rose most above",
    r"answers to the natural prior",
    r"of an equal share",
    r"weigh rows otherwise",
    r"\bbends? the prior\b",
    r"what (came|comes) of\b",
    r"\bgone on with\b",
    r"\bwhose turn\b",
    r"\bso many (rows|seconds)\b",
    r"\bhereby|thereof|whereof|herein\b",
)
PATTERN = re.compile("|".join(BANNED))


def spoken(path: Path) -> Iterator[tuple[int, str]]:
    """The texts of a file that may be shown to users: strings that are no docstrings, and first lines of methods."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    silent = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
            yield node.lineno, node.value
    if path.parent.parent.name == "methods" or path.parent.name == "cli":
        yield 1, (ast.get_docstring(tree) or "").partition("\n")[0]
    if path.parent.name == "cli":
        for node in tree.body:
            if isinstance(node, ast.FunctionDef):
                yield node.lineno, ast.get_docstring(node) or ""


@pytest.mark.parametrize("banned", ["The test rows bear that out.", "In all columns more is better."])
def test_the_pattern_finds_such_sentences(banned: str) -> None:
    assert PATTERN.search(banned)


def test_no_message_has_such_a_sentence() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} {text[:80]!r}"
        for path in sorted(SOURCE.rglob("*.py"))
        for line, text in spoken(path)
        if PATTERN.search(" ".join(text.split()))
    ]
    assert not found, "\n".join(found)


def test_no_page_has_such_a_sentence() -> None:
    documents = [path for path in (ROOT / "docs").glob("*.md") if path.stem != "architecture"]
    pages = [*SOURCE.rglob("*.html"), ROOT / "README.md", *documents]
    found = [
        f"{path.relative_to(ROOT)} {match[0]!r}"
        for path in pages
        for match in PATTERN.finditer(" ".join(path.read_text(encoding="utf-8").split()))
    ]
    assert not found, "\n".join(found)

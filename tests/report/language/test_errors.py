"""The errors that users see have a translation: each message of the source is made with samples in its holes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path

import pytest

from rarebird.report.language.catalogue import Catalogue, catalogue

SOURCE = Path(__file__).resolve().parents[3] / "src" / "rarebird"
ERRORS = ("DataError", "UnavailableError")
# What may be in a hole: a name, a number, words, nothing. A hint has its own words.
VALUES = ("'x'", "3", "test rows", "(such as 'x')", "")
HINT = ("did you mean 'x'?",)
MOST_TRIED = 3000
# A share of them may wait for its translation while the product grows.
LEAST_SHARE = 0.95


def messages() -> Iterator[tuple[str, ast.JoinedStr | ast.Constant]]:
    """(place, message) of each error whose message is written where it is raised."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ERRORS and node.args:
                message = node.args[0]
                if isinstance(message, ast.JoinedStr | ast.Constant):
                    yield f"{path.relative_to(SOURCE)}:{node.lineno}", message


def samples(message: ast.JoinedStr | ast.Constant) -> Iterator[str]:
    """The message with samples in its holes."""
    parts = message.values if isinstance(message, ast.JoinedStr) else [message]
    holes = [
        HINT if any(word in ast.unparse(part) for word in ("nearest(", "hint")) else VALUES
        for part in parts
        if isinstance(part, ast.FormattedValue)
    ]
    for values in islice(product(*holes), MOST_TRIED):
        filled = iter(values)
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else next(filled) for part in parts)


def missing(translations: Catalogue, most: int | None = None) -> list[str]:
    return [
        f"{place} {ast.unparse(message)}"
        for place, message in islice(messages(), most)
        if not any(translations.translated(sample) is not None for sample in samples(message))
    ]


@pytest.mark.parametrize("language", ["zh"])
def test_nearly_all_errors_have_a_translation(language: str) -> None:
    without, total = missing(catalogue(language)), sum(1 for _ in messages())
    assert total > 400
    assert len(without) <= (1 - LEAST_SHARE) * total, "\n".join(without)


def test_errors_without_a_translation_are_found() -> None:
    assert len(missing(Catalogue({"There is no file {x}; check the path.": "没有文件 {x}。"}, ""), most=30)) == 30

"""Sentences are recognized by their templates, users' names are never translated, and the catalogue fits the source."""

from __future__ import annotations

import ast
import html
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

from rarebird.report.language.catalogue import Catalogue, catalogue, literals_of
from rarebird.report.language.chosen import languages

SOURCE = Path(__file__).resolve().parents[3] / "src" / "rarebird"
ENTRIES = {
    "{n} row[s] of {x} [has|have] no label, {w}.": "{x} 中有 {n} 行没有标签，{w}。",
    "such as {x}": "例如 {x}",
    "Class {x} has too few rows.": "类别 {x} 的样本太少。",
    "rows": "样本数",
    "Left out: {l}.": "不使用：{l}。",
    "one value": "只有一个值",
    "{x} has the shape (n[[, m]]).": "{x} 的形状为 (n[, m])。",
    "It was tried{o}.": "试过{o}。",
    " twice": "两次",
    "twice": "两次",
}


@pytest.fixture(scope="module")
def made() -> Catalogue:
    return Catalogue(ENTRIES, "{x} 等另 {n} 个")


@pytest.mark.parametrize(
    ("english", "expected"),
    [
        ("1 row of a.csv has no label, such as 'rows'.", "a.csv 中有 1 行没有标签，例如 'rows'。"),
        ("1,200 rows of rows have no label, such as x.", "rows 中有 1,200 行没有标签，例如 x。"),
        # The words in the hole are unknown: no half of a sentence is translated.
        ("1 row of a.csv has no label, for this reason.", "1 row of a.csv has no label, for this reason."),
        (
            "Class 'rows' has too few rows. Class “a. B” has too few rows.",
            "类别 'rows' 的样本太少。类别 “a. B” 的样本太少。",
        ),
        ("Unknown. Class 'a' has too few rows. Unknown.", "Unknown. 类别 'a' 的样本太少。Unknown."),
        ("  - rows\nrows\n\nother", "  - 样本数\n样本数\n\nother"),
        ("3 classes · rows", "3 classes · 样本数"),
        ("Left out: 'rows' (one value), 'x (rows)' and 3 more.", "不使用：'rows' (只有一个值), 'x (rows)' 等另 3 个。"),
        ("X has the shape (n[, m]).", "X 的形状为 (n[, m])。"),
        ("It was tried twice.", "试过两次。"),
        ("It was tried.", "试过。"),
        ("rowsrows", "rowsrows"),
        ("", ""),
    ],
)
def test_what_the_catalogue_knows_is_translated_and_nothing_else(made: Catalogue, english: str, expected: str) -> None:
    assert made.told(english) == expected


def test_the_template_with_most_words_is_taken() -> None:
    both = Catalogue({"{x} is wrong.": "{x} 不对。", "The file {x} is wrong.": "文件 {x} 不对。"}, "")
    assert both.told("The file a is wrong.") == "文件 a 不对。"


def test_a_translation_with_another_hole_is_refused() -> None:
    with pytest.raises(ValueError, match="x2"):
        Catalogue({"There is no {x}.": "没有 {x2}。"}, "")


def of_other_programs(language: str) -> set[str]:
    """Templates of sentences that are not written in this package."""
    files = (SOURCE / "report" / "language" / language).glob("*.toml")
    return {english for path in files for english in tomllib.loads(path.read_text("utf-8")).get("parser", {})}


@cache
def written() -> str:
    """All that the product writes: the texts of its source, each hole as a NUL, and of its templates."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        if path.is_relative_to(SOURCE / "report" / "language"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (part.value if isinstance(part, ast.Constant) else "\0" for part in node.values)
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    for path in sorted((SOURCE / "report" / "templates").rglob("*.html")):
        page = path.read_text(encoding="utf-8")
        text = re.sub(r"<(/?(?:a|b|bdi|code|em|span)\b[^>]*|br)>|{{.*?}}|{%.*?%}", "\0", page)
        found += [html.unescape(text), *re.findall(r'"([^"]+)"', page)]
    return "\n".join(" ".join(text.split()) for text in found)


def test_texts_of_the_source_are_found() -> None:
    assert "has no column" in written()
    assert "Please note" in written()
    assert "has no colum " not in written()


def is_written(piece: str) -> bool:
    """Whether the product writes a piece of a sentence, in one text or in up to three that it joins: a word or two that
    differ within a sentence are found, because a part in the middle has three words or more."""
    words = piece.split()
    starts = [at for at in range(1, len(words) + 1) if _is_in_a_text(words[:at])]
    ends = [at for at in range(len(words) + 1) if _is_in_a_text(words[at:])]
    return any(
        first >= last or (last - first >= 3 and _is_in_a_text(words[first:last])) for first in starts for last in ends
    )


def _is_in_a_text(words: list[str]) -> bool:
    """Whether the words are part of a text; what joins them to others may be punctuation, or a capital."""
    part = " ".join(words).strip(" ,;:.")
    return part in written() or f"{part[:1].lower()}{part[1:]}" in written()


@pytest.mark.parametrize("language", [one for one in languages() if one != "en"])
def test_each_template_is_still_written_somewhere(language: str) -> None:
    """A sentence that was reworded leaves a template that nothing fits any more."""
    rotten = []
    others = of_other_programs(language)
    for template in (one for one in catalogue(language).templates if one.english not in others):
        for literal, _ in literals_of(template.english):
            piece = literal.strip(" .:;,()“”'—")
            # What is short stands between holes, such as "of" or "has".
            if len(piece) > 3 and not is_written(piece):
                rotten.append(f"{template.english!r}: nothing writes {piece!r}")
    assert not rotten, "\n".join(rotten)


@pytest.mark.parametrize("language", [one for one in languages() if one != "en"])
def test_each_template_says_something_in_its_language(language: str) -> None:
    templates = catalogue(language).templates
    assert len(templates) > 300
    worded = [one for one in templates if any(char.isalpha() for part, _ in literals_of(one.english) for char in part)]
    plain = [one.english for one in worded if one.english == one.translation]
    assert not plain
    lost = [
        one.english
        for one in templates
        if set(re.findall(r"\{([nxewol]\d*)\}", one.english)) != set(re.findall(r"\{([nxewol]\d*)\}", one.translation))
    ]
    assert not [english for english in lost if not english.count("{x")], "a value is lost"

"""Names and values as Markdown: whatever a label or a column is called, it is text and no markup."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rarebird.core.printable import printable

# Marks that would begin markup, HTML, a link or a cell.
_MARKS = re.compile(r"([\\`*_{}\[\]<>()#|~&!$])")


def plain(text: object) -> str:
    """A name or value on one line, with the marks of Markdown escaped."""
    return _MARKS.sub(r"\\\1", " ".join(printable(str(text)).split()))


def sentences(texts: Sequence[str]) -> str:
    """A list of sentences, or a line that there are none."""
    return "\n".join(f"- {plain(text)}" for text in texts) or "- None."


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table whose cells are plain text; the head is Markdown already."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(plain(cell) for cell in row) + " |" for row in rows)])


def fenced(text: str, language: str) -> str:
    """A block of code, with a fence that is longer than any in the text."""
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall(r"`+", text)), 3)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"

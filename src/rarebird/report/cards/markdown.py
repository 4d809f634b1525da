"""Names and values as Markdown: whatever a label or a column is called, it is text and no markup."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rarebird.core.printable import printable

# What would begin markup, a link or a cell. An underscore within a word and a bracket alone stay as they are, so that a
# card is plain in an editor, too.
_MARKS = re.compile(r"([\\`*|]|~(?=~)|(?<=~)~|(?<=\])[(\[]|(?<![^\W_])_|_(?![^\W_]))")


def plain(text: object) -> str:
    """A name or value on one line, with the marks of Markdown escaped, and those of HTML as entities."""
    line = " ".join(printable(str(text)).split())
    return _MARKS.sub(r"\\\1", re.sub(r"&(?=#?\w+;)", "&amp;", line).replace("<", "&lt;"))


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

"""Pages are named by their path, as in `docs/recipes.md`, which is right in an editor; on the site it becomes a link.

A name without a page becomes a link that leads nowhere, which ends a strict build.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

PAGES = Path(__file__).resolve().parents[1]
NAMED = re.compile(r"`docs/([\w./-]+\.md)`")
FENCED = re.compile(r"(^ *```.*?^ *```[ \t]*$)", re.DOTALL | re.MULTILINE)


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """The page's text with links in place of names of pages; blocks of code stay."""
    return linked(markdown, page.file.src_uri)


def linked(markdown: str, source: str) -> str:
    """`markdown`, the text of the page `source`, with links in place of names of pages."""
    start = posixpath.dirname(source)
    parts = FENCED.split(markdown)
    parts[::2] = [NAMED.sub(lambda found: _link(found[1], start), part) for part in parts[::2]]
    return "".join(parts)


def _link(name: str, start: str) -> str:
    return f"[{_heading(name)}]({posixpath.relpath(name, start or '.')})"


def _heading(name: str) -> str:
    """The first heading of a page; its name where there is no such page."""
    path = PAGES / name
    first = path.read_text(encoding="utf-8").partition("\n")[0] if path.is_file() else ""
    return first.removeprefix("# ").strip() if first.startswith("# ") else name.removesuffix(".md")

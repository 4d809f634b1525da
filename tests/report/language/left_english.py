"""Finds English that a translation left: words of two letters or more that are neither names nor terms."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html.parser import HTMLParser

from rarebird.metrics import names
from rarebird.slots import methods

# Terms that Chinese texts write in Latin letters, units, and the names of files and formats.
TERMS = frozenset(
    [
        *("rarebird", "auc", "roc", "ap", "brier", "beta", "csv", "toml", "html", "json", "onnx", "javascript"),
        *("fit", "compare", "predict", "px", "ms", "epoch", "gib", "mib", "nan", "grad", "cam", "treeshap", "shapley"),
        *("python", "torch", "numpy", "scikit", "learn", "lightgbm"),
        *("holm", "nadeau", "bengio", "kolmogorov", "smirnov"),
    ]
)
KEPT = ("bdi", "code", "pre", "script", "style")
VOID = ("br", "col", "hr", "img", "input", "link", "meta")
SPOKEN = ("title", "aria-label", "data-label", "alt", "placeholder")
# What is quoted, a command in backticks, an option with its value, a path, a key such as `loss.gamma`.
NOT_WORDS = re.compile(
    r"'[^'\n]*'|“[^”\n]*”|\"[^\"\n]*\"|`[^`\n]*`|--[\w-]+(?:[ =][\w.=,/\[\]-]+)?|\S*[/\\]\S+|\w+[._=]\w[\w.=]*|\w*\d\w*"
)


def english_in(text: str, kept: Iterable[str]) -> list[str]:
    """The English words of a text.

    Args:
        text: Of a terminal or a page.
        kept: Names of the user.
    """
    for name in sorted(kept, key=len, reverse=True):
        text = re.sub(rf"(?<![A-Za-z_]){re.escape(name)}(?![A-Za-z_])", " ", text)
    known = {*TERMS, *methods.SLOTS, *names.METRICS}
    known |= {name for slot in methods.SLOTS for name in methods.names(slot)}
    found = re.findall(r"[A-Za-z]{2,}", NOT_WORDS.sub(" ", text))
    return [word for word in found if word.lower() not in known]


class Texts(HTMLParser):
    """What people read on a page: texts, and attributes that are shown or spoken, without names and code.

    Attributes:
        found: All of them.
    """

    def __init__(self, document: str) -> None:
        super().__init__()
        self._kept: list[bool] = []
        self.found: list[str] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if not any(self._kept) and tag != "bdi" and attributes.get("translate") != "no":
            self.found += [text for name in SPOKEN if (text := attributes.get(name))]
        if tag not in VOID:
            self._kept.append(tag in KEPT or attributes.get("translate") == "no")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """It holds no text."""

    def handle_endtag(self, tag: str) -> None:
        if self._kept:
            self._kept.pop()

    def handle_data(self, data: str) -> None:
        if not any(self._kept) and data.strip():
            self.found.append(" ".join(data.split()))


def english_on(document: str, kept: Iterable[str]) -> list[str]:
    """The texts of a page in which English is left; arguments as for `english_in`."""
    names = list(kept)
    return [text for text in Texts(document).found if english_in(text, names)]

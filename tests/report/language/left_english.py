"""Finds English that a translation left: words of two letters or more that are neither names nor terms."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rarebird.metrics import names
from rarebird.slots import methods

# Terms that Chinese texts write in Latin letters, units, and the names of files and formats.
TERMS = frozenset(
    ["rarebird", "auc", "roc", "beta", "csv", "toml", "html", "json", "onnx", "px", "ms", "seed", "epoch", "gib", "mib"]
)
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

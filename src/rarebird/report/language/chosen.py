"""Which language people read: ``--lang`` of a command, or the environment variable ``RAREBIRD_LANG``; else English."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from rarebird.core.checks import DataError, nearest

ENGLISH = "en"
OPTION, VARIABLE = "--lang", "RAREBIRD_LANG"
# What a page declares in its attribute `lang`.
TAGS = {"en": "en", "zh": "zh-CN"}

_chosen: ContextVar[str | None] = ContextVar("language", default=None)


def languages() -> tuple[str, ...]:
    """English, and each language that has a catalogue: the folders beside this file are the list."""
    folders = (path.name for path in Path(__file__).parent.iterdir() if any(path.glob("*.toml")))
    return (ENGLISH, *sorted(folders))


def language() -> str:
    """The language of pages and sentences."""
    return _chosen.get() or _known(os.environ.get(VARIABLE, "")) or ENGLISH


@contextmanager
def speaking(text: str | None) -> Iterator[None]:
    """In the block, pages and sentences are in this language; None or an unknown one leaves it to the environment."""
    token = _chosen.set(None if text is None else _known(text))
    try:
        yield
    finally:
        _chosen.reset(token)


def asked_for(arguments: Sequence[str]) -> str | None:
    """The value of ``--lang`` among a command's arguments, which is needed before they are parsed: a parser's errors
    are sentences, too."""
    for place, argument in enumerate(arguments):
        name, _, value = argument.partition("=")
        if name == OPTION:
            return value or next(iter(arguments[place + 1 :]), "")
    return None


def check(text: str | None) -> None:
    """Refuse a language that has no catalogue, from ``--lang`` or the environment.

    Raises:
        DataError: There is no such language.
    """
    source, value = (VARIABLE, os.environ.get(VARIABLE, "")) if text is None else (OPTION, text)
    if _known(value) is None and (value or text is not None):
        raise DataError(f"There is no language {value!r} for {source}; {nearest(value, languages())}")


def told(text: str) -> str:
    """A text for people, in their language as far as its catalogue reaches."""
    chosen = language()
    if chosen == ENGLISH:
        return text
    from rarebird.report.language.catalogue import catalogue

    return catalogue(chosen).told(text)


def _known(text: str) -> str | None:
    """The language that a text names: ``zh``, also as ``zh_CN.UTF-8`` or ``zh-Hans``; None if there is none."""
    code = text.strip().lower().replace("-", "_").replace(".", "_").partition("_")[0]
    return code if code in languages() else None

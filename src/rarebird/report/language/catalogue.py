"""A catalogue of translated sentences: English templates with holes, each with its translation.

The product makes its sentences in English, many of them from parts and values. A catalogue does not look into how they
are made: it recognizes a finished sentence by its template, takes the values out of the holes, and puts them into the
translation's. A template is a line of a TOML file::

    "{n} row[s] of {x} [has|have] no label, {w}." = "{x} 中有 {n} 行没有标签，{w}。"

The first letter of a hole's name says what it holds:

* ``n``: a number
* ``x``: anything, kept as it is: names of the user, paths, commands, names of methods and metrics
* ``e``: the same, or nothing
* ``w``: words that are translated in their turn; if the catalogue does not know them, the template does not fit
* ``o``: the same, or nothing
* ``l``: names as ``x``, with an end such as ``and 3 more``; what follows a quoted name in parentheses is words

A line's beginning such as ``Note:`` is a template by itself. ``[s]`` may be missing, ``[has|have]`` is either of the
two, and ``[[`` and ``]]`` are brackets. A user's name is never translated, because no ``w`` stands in its place. A
sentence that no template fits stays English.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

NUMBER = r"[-+−]?\d[\d.,\u202f]*(?:e[-+]?\d+)?(?: ?%)?"
_PATTERNS = {"n": NUMBER, "x": ".+?", "e": ".*?", "w": ".+?", "o": ".*?", "l": ".+?"}
_PARTS = re.compile(r"\[\[|\]\]|\{(?P<hole>[nxewol]\d*)\}|\[(?P<choice>[^\[\]]*)\]")
_HOLE = re.compile(r"\{([nxewol]\d*)\}")
# Between two sentences, or two facts of one line.
_BETWEEN = re.compile(r"(?<=[.!?]) +| · ")
# A line's indent and its mark in a list.
_START = re.compile(r"\s*(?:- )?")
# What begins a line, if the catalogue has it by itself: "Note:", "Report:".
_LABEL = re.compile(r"([A-Z][^:]*:) +")
# Sentences that are tried together, where a name in them holds what looks like the end of one.
_MOST_TOGETHER = 8
# In a list, what a quoted name is followed by in parentheses.
_REASON = re.compile(r"(?<=['\"”] \()[^()]+(?=\))")
# The table of a file that has the end of a list.
_LIST = "list"


@dataclass(frozen=True)
class Template:
    """An English sentence with holes, and its translation.

    Attributes:
        english: As in the catalogue.
        translation: With the same holes, in any order.
        pattern: Fits the whole English sentence.
        anchor: The longest piece that each such sentence contains.
        size: Characters that are not in holes; of several templates that fit, the one with the most is taken.
    """

    english: str
    translation: str
    pattern: re.Pattern[str]
    anchor: str
    size: int


def template_of(english: str, translation: str) -> Template:
    """A template from a line of the catalogue.

    Raises:
        ValueError: The translation has other holes.
    """
    pattern, size = "", 0
    literals = literals_of(english)
    for literal, part in literals:
        pattern += re.escape(literal)
        size += len(literal)
        if part is not None and part["hole"]:
            pattern += f"(?P<{part['hole']}>{_PATTERNS[part['hole'][0]]})"
        elif part is not None:
            choices = part["choice"].split("|")
            pattern += f"(?:{'|'.join(map(re.escape, choices))})" + ("?" if len(choices) == 1 else "")
    compiled = re.compile(pattern, re.DOTALL)
    if unknown := set(_HOLE.findall(translation)) - set(compiled.groupindex):
        raise ValueError(f"The translation of {english!r} has the holes {sorted(unknown)}, which the sentence lacks.")
    return Template(english, translation, compiled, max((literal for literal, _ in literals), key=len), size)


def literals_of(english: str) -> list[tuple[str, re.Match[str] | None]]:
    """The pieces of a template that are not in holes, each with the hole or choice that follows it (None at the
    end)."""
    pieces: list[tuple[str, re.Match[str] | None]] = []
    literal, at = "", 0
    for part in _PARTS.finditer(english):
        literal += english[at : part.start()]
        at = part.end()
        if part[0] in ("[[", "]]"):
            literal += part[0][0]
            continue
        pieces.append((literal, part))
        literal = ""
    return [*pieces, (literal + english[at:], None)]


class Catalogue:
    """Translations of one language.

    Args:
        entries: English template -> translation.
        more: The translation of ``{x} and {n} more``, the end of a list.
    """

    def __init__(self, entries: Mapping[str, str], more: str) -> None:
        self.templates = [template_of(english, translation) for english, translation in entries.items()]
        self._more = template_of("{x} and {n} more", more)
        self._exact = {one.english: one.translation for one in self.templates if one.pattern.groups == 0}
        self._by_size = sorted(self.templates, key=lambda one: -one.size)
        self._known: dict[str, str | None] = {}

    def told(self, text: str) -> str:
        """A text of any number of lines, each sentence translated that the catalogue knows."""
        return "\n".join(self._line(line) for line in text.split("\n"))

    def translated(self, text: str) -> str | None:
        """A text of one line, if the catalogue knows all of it; otherwise None."""
        parts = list(self._parts(text))
        return _joined(part for part, _ in parts) if all(known for _, known in parts) else None

    def _line(self, line: str) -> str:
        start = _START.match(line)
        assert start is not None
        body = line[start.end() :]
        text = body.rstrip()
        return start[0] + _joined(part for part, _ in self._parts(text)) + body[len(text) :] if text else line

    def _parts(self, text: str) -> Iterator[tuple[str, bool]]:
        """The text's sentences, translated if the catalogue knows them, and whether it does; what is between two is a
        part of its own unless it is blank. Of sentences together, the fewest that a template fits are taken."""
        if (label := _LABEL.match(text)) and label[1] in self._exact:
            yield self._exact[label[1]], True
            text = text[label.end() :]
        ends = [found.span() for found in _BETWEEN.finditer(text)] + [(len(text), len(text))]
        start = first = 0
        while first < len(ends):
            for last in range(first, min(first + _MOST_TOGETHER, len(ends))):
                found = self._sentence(text[start : ends[last][0]])
                if found is not None:
                    break
            else:
                last = first
            yield (text[start : ends[last][0]] if found is None else found), found is not None
            between = text[slice(*ends[last])]
            if between.strip():
                yield between, True
            start, first = ends[last][1], last + 1

    def _sentence(self, text: str) -> str | None:
        if text not in self._known:
            self._known[text] = self._found(text)
        return self._known[text]

    def _found(self, text: str) -> str | None:
        if text in self._exact:
            return self._exact[text]
        if not re.search(r"[A-Za-z]", text):
            return text
        for one in self._by_size:
            fits = one.pattern.fullmatch(text) if one.anchor in text and one.pattern.groups else None
            filled = None if fits is None else self._filled(one, fits)
            if filled is not None:
                return filled
        return None

    def _filled(self, template: Template, fits: re.Match[str]) -> str | None:
        values: dict[str, str] = {}
        for name, text in fits.groupdict().items():
            value: str | None = text
            if name[0] in "wo" and text:
                value = self.translated(text.strip())
            elif name[0] == "l":
                value = self._list(text)
            if value is None:
                return None
            values[name] = value
        return _HOLE.sub(lambda hole: values[hole[1]], template.translation)

    def _list(self, text: str) -> str:
        reasons = _REASON.sub(lambda found: self.translated(found[0]) or found[0], text)
        more = self._more.pattern.fullmatch(reasons)
        return reasons if more is None else _HOLE.sub(lambda hole: more[hole[1]], self._more.translation)


def _joined(parts: Iterator[str]) -> str:
    """Sentences in one line; after a full-width stop no blank follows."""
    text = ""
    for part in parts:
        blank = bool(text) and text[-1] not in "。！？：； " and not part.startswith(" ")
        text += f" {part}" if blank else part
    return text


@cache
def catalogue(language: str) -> Catalogue:
    """The catalogue of a language: all files of its folder beside this one."""
    entries: dict[str, str] = {}
    more = "{x} and {n} more"
    for path in sorted((Path(__file__).parent / language).glob("*.toml")):
        for name, table in tomllib.loads(path.read_text(encoding="utf-8")).items():
            if name == _LIST:
                more = table[more]
            else:
                entries |= table
    return Catalogue(entries, more)

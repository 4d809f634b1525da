"""A finished page in another language: its texts, and the attributes that people read or hear.

What the user named is not translated: the content of ``bdi`` (a name), ``code``, ``pre`` and of elements with
``translate="no"``. Within a sentence such an element, and any other that stands in a line, is a value like others.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser

from rarebird.report.language.catalogue import Catalogue

_INLINE = frozenset(
    [
        *("a", "abbr", "b", "bdi", "code", "em", "i", "kbd", "mark", "q", "small", "span", "strong", "sub"),
        *("sup", "time", "output"),
    ]
)
_KEPT = frozenset(["bdi", "code", "kbd", "pre", "script", "style", "textarea"])
_VOID = frozenset(["br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"])
_READ = re.compile(r'\b(title|aria-label|data-label|alt|placeholder|content|label)="([^"]*)"')
# Stands for the element of that number in a sentence: characters that no text holds.
_OPEN, _CLOSE = "\ue000", "\ue001"
_PLACE = re.compile(f"{_OPEN}(\\d+){_CLOSE}")


@dataclass
class _Element:
    """An element with its start tag as it was written; its children are elements and pieces of raw text."""

    tag: str
    start: str
    attributes: dict[str, str | None]
    children: list[_Element | str]
    end: str = ""

    @property
    def is_name(self) -> bool:
        """Whether it is what the user named."""
        return self.tag == "bdi" or self.attributes.get("translate") == "no"

    @property
    def is_kept(self) -> bool:
        """Whether its content is not translated."""
        return self.is_name or self.tag in _KEPT


def translated_page(document: str, catalogue: Catalogue, tag: str) -> str:
    """The page with each text that the catalogue knows translated.

    Args:
        document: HTML that is well formed, as the templates write it.
        catalogue: The language.
        tag: What ``<html lang="...">`` says then, such as ``zh-CN``.
    """
    parser = _Parser()
    parser.feed(document)
    parser.close()
    page = "".join(_written(parser.root.children, catalogue))
    return re.sub(r'(<html[^>]*\blang=")[^"]*', rf"\g<1>{tag}", page, count=1)


class _Parser(HTMLParser):
    """Builds the tree; all it reads is kept as it is written."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.root = _Element("", "", {}, [])
        self._path = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = _Element(tag, self.get_starttag_text() or "", dict(attrs), [])
        self._path[-1].children.append(element)
        if tag not in _VOID:
            self._path.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._path[-1].children.append(_Element(tag, self.get_starttag_text() or "", dict(attrs), []))

    def handle_endtag(self, tag: str) -> None:
        if tag in (element.tag for element in self._path):
            while self._path[-1].tag != tag:  # an element whose end may be left out
                self._path.pop()
            element = self._path.pop()
            # As it began: SVG has names with capitals.
            element.end = f"</{element.start[1 : len(tag) + 1]}>"

    def handle_data(self, data: str) -> None:
        self._path[-1].children.append(data)

    def handle_entityref(self, name: str) -> None:
        self.handle_data(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.handle_data(f"&#{name};")

    def handle_decl(self, decl: str) -> None:
        self.handle_data(f"<!{decl}>")

    def handle_comment(self, data: str) -> None:
        self._path[-1].children.append(_Element("!--", f"<!--{data}-->", {}, []))


def _written(children: Iterable[_Element | str], catalogue: Catalogue) -> Iterator[str]:
    """Children as text: what stands in one line together is translated as one."""
    line: list[_Element | str] = []
    for child in children:
        if isinstance(child, str) or child.tag in _INLINE:
            line.append(child)
            continue
        yield _line(line, catalogue)
        line = []
        yield _element(child, catalogue)
    yield _line(line, catalogue)


def _element(element: _Element, catalogue: Catalogue) -> str:
    start = element.start if element.is_name else _READ.sub(lambda found: _attribute(found, catalogue), element.start)
    children = map(_raw, element.children) if element.is_kept else _written(element.children, catalogue)
    return start + "".join(children) + element.end


def _raw(child: _Element | str) -> str:
    return child if isinstance(child, str) else child.start + "".join(map(_raw, child.children)) + child.end


def _attribute(found: re.Match[str], catalogue: Catalogue) -> str:
    name, text = found[1], html.unescape(found[2])
    translated = catalogue.told(text)
    return found[0] if translated == text else f'{name}="{html.escape(translated)}"'


def _line(children: list[_Element | str], catalogue: Catalogue) -> str:
    """Texts and elements of one line: as one sentence or several, otherwise each piece of text by itself."""
    if not children:
        return ""
    elements = [child for child in children if isinstance(child, _Element)]
    shown = [_element(element, catalogue) for element in elements]
    numbers = iter(range(len(elements)))
    raw = "".join(child if isinstance(child, str) else f"{_OPEN}{next(numbers)}{_CLOSE}" for child in children)
    if raw.lstrip().startswith("<!"):
        return raw
    text = " ".join(html.unescape(raw).split())
    found = _told(text, catalogue)
    if found == text:
        return _PLACE.sub(lambda place: shown[int(place[1])], raw)
    start, end = raw[: len(raw) - len(raw.lstrip())], raw[len(raw.rstrip()) :]
    escaped = html.escape(found, quote=False)
    return start + _PLACE.sub(lambda place: shown[int(place[1])], escaped) + end


def _told(text: str, catalogue: Catalogue) -> str:
    """A line's text translated: as a whole, otherwise what is known of it between its elements."""
    found = catalogue.told(text)
    if found != text or not re.search(r"[A-Za-z]", text):
        return found
    return "".join(_piece(piece, catalogue) for piece in re.split(f"({_OPEN}\\d+{_CLOSE})", text))


def _piece(text: str, catalogue: Catalogue) -> str:
    """A text between two elements of a line, with the blanks around it."""
    inner = text.strip()
    return text.replace(inner, catalogue.told(inner)) if inner else text

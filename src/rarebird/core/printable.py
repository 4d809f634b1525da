"""Text that is safe to show: a name from a file must neither command a terminal nor a spreadsheet."""

from __future__ import annotations

import re
import unicodedata

# Begin a formula in spreadsheets; so do tab and carriage return, which they pass over.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
# Control characters, halves of characters, and separators of lines and paragraphs.
_HIDDEN = ("Cc", "Cs", "Zl", "Zp")
# Words that are cut, and the letters that are kept of each end; paths are shorter.
_LONG_WORD, _KEPT = re.compile(r"\S{300,}"), 60
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def printable(text: str) -> str:
    """The text with its control characters written out, such as ``\\x1b`` for the escape that begins a terminal's
    commands; lines stay lines. Marks that turn the direction of writing, which can show a name as another one, and
    halves of characters are written out, too."""
    if text.isascii() and (text.isprintable() or text.replace("\n", "").isprintable()):
        return text
    return "".join(character if _is_shown(character) else _escape(character) for character in text)


def shortened(text: str) -> str:
    """The text with its longest words cut in the middle: a cell of a damaged file that is taken for a column's name may
    have thousands of letters."""
    return _LONG_WORD.sub(lambda word: f"{word[0][:_KEPT]}…{word[0][-_KEPT:]}", text)


def safe_cell(text: str) -> str:
    """A cell of a CSV file that no spreadsheet takes for a formula: an apostrophe is put before its first character.
    Numbers stay as they are."""
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def _is_shown(character: str) -> bool:
    hidden = unicodedata.category(character) in _HIDDEN or character in _TURNING
    return character in "\n\t" or not hidden


def _escape(character: str) -> str:
    return character.encode("unicode_escape", errors="backslashreplace").decode("ascii")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text == text.strip()

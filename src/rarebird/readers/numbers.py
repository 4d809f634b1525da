"""Numbers as people write them: decimal comma or point, marks between thousands, units, minus signs of any shape."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from rarebird.readers.units import CURRENCY, pattern_after, same

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

Mark = Literal["", ".", ","]

# A leading zero marks a code (a postcode), and more digits than a float64 holds exactly mark an identifier.
CODE = r"^[+-]?(0\d+|\d{16,})$"
# Blanks of other widths, minus signs and apostrophes that stand for the plain ones.
_BLANKS, _MINUS, _APOSTROPHES = "[\u00a0\u2007\u2009\u202f]", "[\u2212\u2013\ufe63\uff0d]", "[\u2019\u02bc`]"
_BEFORE = rf"^([+-]?) ?(?:{CURRENCY}) ?([+-]?)"
_UNIT = pattern_after()
_AFTER = rf" ?(?:{_UNIT})$"
_BESIDE = rf"^[(+-]? ?(?P<before>{CURRENCY})|(?P<after>{_UNIT})\)?$"
_EXPONENT = r"([eE][+-]?\d{1,3})?"
# Indian numbers have two digits between their marks: 12,34,567.
_GROUPS = {
    ",": r"[1-9]\d{0,2}(,\d{3})+|[1-9]\d?(,\d{2})+,\d{3}",
    ".": r"[1-9]\d{0,2}(\.\d{3})+",
    " ": r"[1-9]\d{0,2}( \d{3})+",
    "'": r"[1-9]\d{0,2}('\d{3})+",
}
_BEGINNING = 100
_THOUSANDS: dict[str, tuple[str, ...]] = {".": (",", " ", "'"), ",": (".", " ", "'")}


@dataclass(frozen=True)
class Notation:
    """How the numbers of a column are written: decimal mark (empty if none occurs), mark between thousands, unit."""

    decimal: Mark = ""
    thousands: str = ""
    unit: str = ""


def plain(cells: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Cells as float64 if all that are not missing are numbers as programs write them; otherwise None."""
    import pyarrow as pa
    import pyarrow.compute as pc

    # The first cells come first: Arrow writes an error for each cell that is none, which takes long.
    with contextlib.suppress(pa.ArrowInvalid):
        pc.cast(cells.slice(0, _BEGINNING), pa.float64())
        return pc.cast(cells, pa.float64())
    return None


def has_codes(cells: pa.ChunkedArray | pa.Array) -> bool:
    """Whether a cell is a code or an identifier made of digits."""
    import pyarrow.compute as pc

    return bool(pc.any(pc.match_substring_regex(cells, CODE)).as_py())


def notations(distinct: pa.Array) -> list[Notation]:
    """The notations in which all texts are numbers, the simplest first; several if they are ambiguous, as "1,050" is.

    Args:
        distinct: Texts without missing ones.
    """
    import pyarrow.compute as pc

    if len(distinct) == 0:
        return []
    text, units = _without_units(distinct)
    if len(units) > 1 or has_codes(text):
        return []
    unit = units[0] if units else ""
    found = [
        Notation(decimal, thousands, unit)
        for decimal, thousands in _CANDIDATES
        if pc.all(pc.match_substring_regex(text, _pattern(decimal, thousands))).as_py()
    ]
    return _simplest(found)


def parsed(cells: pa.ChunkedArray | pa.Array, notation: Notation) -> pa.ChunkedArray | pa.Array:
    """Cells as float64 in a notation; null where a cell is missing or is no number in it.

    A mark that the notation does not have still stands between thousands where it can be nothing else: where the
    decimal mark is a point, "1,050" is 1050.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    text, _ = _without_units(cells)
    decimal = notation.decimal or "."
    readable = pc.match_substring_regex(text, _pattern(decimal, *_THOUSANDS[decimal]))
    text = pc.if_else(readable, text, pa.scalar(None, pa.string()))
    for mark in _THOUSANDS[decimal]:
        text = pc.replace_substring(text, mark, "")
    return pc.cast(pc.replace_substring(text, decimal, ".") if decimal == "," else text, pa.float64())


def evidence(cells: pa.ChunkedArray | pa.Array) -> dict[Mark, int]:
    """Decimal mark -> texts that are numbers with that mark only."""
    import pyarrow.compute as pc

    text, _ = _without_units(cells)
    reads = {mark: pc.match_substring_regex(text, _pattern(mark, *_THOUSANDS[mark])) for mark in (".", ",")}
    return {
        ".": pc.sum(pc.and_not(reads["."], reads[","])).as_py() or 0,
        ",": pc.sum(pc.and_not(reads[","], reads["."])).as_py() or 0,
    }


def units(distinct: pa.Array) -> np.ndarray:
    """``(n,)`` the unit of each text, such as "%" or "kg"; empty where it has none."""
    import numpy as np

    _, found = _without_units(distinct)
    if not found:
        return np.full(len(distinct), "", dtype=object)
    return np.array([text or "" for text in _beside(distinct).to_pylist()], dtype=object)


def shows(cells: pa.ChunkedArray | pa.Array, decimal: Mark) -> bool:
    """Whether any number has the decimal mark; marks of other scripts count as the usual ones."""
    import pyarrow.compute as pc

    text, _ = _without_units(cells)
    return bool(decimal) and bool(pc.any(pc.match_substring(text, decimal)).as_py())


def numeric(cells: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """``(n,)`` whether a text is a number in any notation."""
    import pyarrow.compute as pc

    text, _ = _without_units(cells)
    either = (pc.match_substring_regex(text, _pattern(mark, *_THOUSANDS[mark])) for mark in (".", ","))
    return pc.or_(*either)


def with_decimal(notation: Notation, decimal: Mark) -> Notation:
    """The notation with a decimal mark in place of none."""
    return notation if notation.decimal else replace(notation, decimal=decimal)


_CANDIDATES: tuple[tuple[Mark, str], ...] = (
    ("", ""),
    (".", ""),
    (",", ""),
    ("", " "),
    ("", "'"),
    (".", ","),
    (",", "."),
    (".", " "),
    (",", " "),
    (".", "'"),
    (",", "'"),
)


def _simplest(found: list[Notation]) -> list[Notation]:
    """Without the notations that only add a mark to another one that reads the same."""
    return [
        one
        for one in found
        if not any(
            other != one and other.decimal in ("", one.decimal) and other.thousands in ("", one.thousands)
            for other in found
        )
    ]


def _pattern(decimal: str, *thousands: str) -> str:
    """A number with a decimal mark, and perhaps one of the marks between thousands."""
    mark = "\\" + decimal
    fraction = rf"({mark}\d*)?" if decimal else ""
    # 1,048E+03 has one digit before its decimal mark: nobody writes an exponent after marks between thousands.
    forms = [rf"\d+{fraction}{_EXPONENT}", *(rf"({_GROUPS[one]}){fraction}" for one in thousands if one)]
    if decimal:
        forms.append(rf"{mark}\d+{_EXPONENT}")
    return rf"^[+-]?({'|'.join(forms)})$"


def _without_units(cells: pa.ChunkedArray | pa.Array) -> tuple[pa.ChunkedArray | pa.Array, list[str]]:
    """Texts with plain signs and without units; the units that were there."""
    import pyarrow.compute as pc

    text = cells
    if not pc.all(pc.string_is_ascii(cells)).as_py():
        for pattern, sign in ((_BLANKS, " "), (_MINUS, "-"), (_APOSTROPHES, "'")):
            text = pc.replace_substring_regex(text, pattern, sign)
        text = _with_narrow_digits(text)
    # Bookkeepers write negative amounts in parentheses.
    text = pc.replace_substring_regex(text, r"^([^\d()+-]{0,4})\((.*)\)(.{0,4})$", r"-\1\2\3")
    amounts = pc.replace_substring_regex(pc.replace_substring_regex(text, _BEFORE, r"\1\2"), _AFTER, "")
    changed = pc.filter(text, pc.fill_null(pc.not_equal(amounts, text), False))
    units: list[str] = []
    if len(changed):
        units = [unit for unit in pc.unique(_beside(changed)).to_pylist() if unit]
    return pc.replace_substring_regex(amounts, r"^([+-]) (\d)", r"\1\2"), units


def _beside(cells: pa.ChunkedArray | pa.Array) -> pa.Array:
    """What stands beside each number, in one form; empty or null where nothing does."""
    import pyarrow as pa
    import pyarrow.compute as pc

    parts = pc.extract_regex(cells, _BESIDE)
    before, after = pc.struct_field(parts, "before"), pc.struct_field(parts, "after")
    found = pc.if_else(pc.equal(before, ""), after, before)
    known = {unit: same(unit) for unit in pc.unique(found).to_pylist() if unit}
    for unit, one in known.items():
        if one != unit:
            found = pc.if_else(pc.equal(found, unit), pa.scalar(one, pa.string()), found)
    return found


def _with_narrow_digits(text: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """Digits and marks of other scripts (full-width ones of East Asian keyboards, Arabic, Persian, Indian, Thai and
    all others) as the usual ones."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pc.any(pc.match_substring_regex(text, r"[^\P{Nd}0-9]")).as_py():
        return text
    cells = text.to_pylist()
    digits = {sign for cell in cells if cell is not None for sign in cell if not sign.isascii() and sign.isdecimal()}
    narrow = str.maketrans("．，％٫٬٪", ".,%.,%") | {ord(sign): str(int(sign)) for sign in digits}
    return pa.array([None if cell is None else cell.translate(narrow) for cell in cells], pa.string())


def ambiguous(cells: pa.ChunkedArray | pa.Array, mark: Mark) -> bool:
    """Whether a text has the mark where it can stand between thousands or before decimals, as in "1,050"."""
    import pyarrow.compute as pc

    text, _ = _without_units(cells)
    return bool(pc.any(pc.match_substring_regex(text, rf"^[+-]?[1-9]\d{{0,2}}\{mark}\d{{3}}$")).as_py())

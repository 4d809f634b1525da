"""Bytes of a text file -> text: by its byte-order mark, as UTF-8, or in the older encoding whose letters make words."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from rarebird.core.checks import DataError
from rarebird.readers.other_content import refuse_binary

_BOMS = (
    *((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32")),
    *((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")),
)
_SAMPLED = 1 << 16  # characters or bytes that decide between encodings
# A UTF-8 file of many letters, of which a few bytes are damaged.
_MANY_LETTERS, _DAMAGED = 20, 0.05
_FEW_ZEROS = 0.01
# Encodings in which any bytes are letters or signs need letters that make words.
_ANY_BYTES, _SURE_OF_ANY = ("koi8_r", "cp866", "mac_roman", "cp850"), 0.7
_SURE_HANGUL = 12  # different syllables; Chinese text has others among so many, which Korean letters are not
_ASCII_LETTER = re.compile("[A-Za-z]")
# What stands in texts of western languages beside letters.
_SIGNS = "€£§°µ²³½¼«»“”„‘’–—…·±×÷©®ºª¿¡ß"


def decoded(raw: bytes, path: Path, preferred: str = "") -> tuple[str, str, list[str]]:
    """The text of a file, its encoding, and a note if that was chosen by the letters.

    Args:
        raw: The file's bytes.
        path: For messages.
        preferred: The encoding of the training file, which is taken wherever it can be.

    Raises:
        DataError: It is no text, or in no encoding that is known.
    """
    refuse_binary(raw, path)
    marked = next((encoding for mark, encoding in _BOMS if raw.startswith(mark)), None) or _utf16(raw)
    notes: list[str] = []
    if marked in (None, "utf-8-sig"):
        # DOS ended texts with Ctrl-Z, and a crash may leave zeros.
        zeros = len(raw) - len(raw := raw.rstrip(b"\0"))
        raw = raw.removesuffix(b"\x1a")
        notes = [f"{path.name} ends with {zeros:,} zero bytes, as after a crash; check whether rows are missing."]
        notes = notes if zeros else []
        if b"\0" in raw:
            raise DataError(_not_text(raw, path))
    for encoding in (marked,) if marked else ("utf-8",):
        if (text := _strict(raw, encoding)) is not None:
            return text, encoding, notes
    if preferred and not preferred.startswith("utf") and (text := _strict(raw, preferred)) is not None:
        return text, preferred, []
    if (damaged := _damaged_utf8(raw, path)) is not None:
        return damaged
    for encoding in _ranked(raw):
        if (text := _strict(raw, encoding)) is not None:
            word = _word(text)
            example = f" (such as {word!r})" if word else ""
            note = f"{path.name} is not UTF-8 and was read as {encoding.upper()}{example}"
            return text, encoding, [f"{note}; save it as UTF-8 if letters are wrong."]
    raise DataError(f"{path} is not text in UTF-8, UTF-16, GB18030 or another known encoding; save it as UTF-8.")


def _not_text(raw: bytes, path: Path) -> str:
    """The sentence on bytes that no text has."""
    if raw.count(b"\0") > _FEW_ZEROS * len(raw):
        return f"{path} is not a text file, despite its name; save the table as CSV in UTF-8."
    line = raw.count(b"\n", 0, raw.index(b"\0")) + 1
    return f"Line {line} of {path} holds a zero byte, which no text has; remove it, or save the table again."


def _strict(raw: bytes, encoding: str) -> str | None:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return None


def _utf16(raw: bytes) -> str | None:
    """UTF-16 without a mark: of mostly ASCII text every second byte is zero."""
    sample = raw[:_SAMPLED]
    if len(raw) % 2 or len(sample) < 4:
        return None
    high, low = sample[::2].count(0), sample[1::2].count(0)
    half = len(sample) // 2
    if low > 0.4 * half and not high:
        return "utf-16-le"
    return "utf-16-be" if high > 0.4 * half and not low else None


def _damaged_utf8(raw: bytes, path: Path) -> tuple[str, str, list[str]] | None:
    """UTF-8 with a few damaged bytes, each of which becomes a sign of replacement; None if it is another encoding."""
    text = raw.decode("utf-8", errors="replace")
    damaged = text.count("\ufffd")
    letters = sum(ord(character) > 127 for character in text) - damaged
    if letters < _MANY_LETTERS or damaged > _DAMAGED * letters:
        return None
    line = text.count("\n", 0, text.index("\ufffd")) + 1
    cells = f"{damaged} damaged place{'s' if damaged > 1 else ''}, the first in line {line}"
    return text, "utf-8", [f"{path.name} is UTF-8 with {cells}; correct it there."]


def _ranked(raw: bytes) -> list[str]:
    """Encodings in which the bytes may be text, the most plausible first."""
    lines = [line for line in raw.splitlines() if any(byte > 127 for byte in line)]
    sample = b"\n".join(lines)[:_SAMPLED]
    scores: dict[str, float] = {}
    for encoding, plausible in _PLAUSIBLE.items():
        text = sample.decode(encoding, errors="replace")
        letters = [place for place, character in enumerate(text) if ord(character) > 127]
        # Bytes that are no character count as several implausible ones.
        wrong = 4 * text.count("\ufffd", 0, max(len(text) - 2, 0))
        scores[encoding] = sum(plausible(text, place) for place in letters) / max(len(letters) + wrong, 1)
    hangul = {character for character in sample.decode("euc_kr", errors="replace") if "가" <= character <= "힣"}
    if scores["euc_kr"] > 0.95 and len(hangul) >= _SURE_HANGUL:
        scores["euc_kr"] += 0.5
    ranked = sorted(_PLAUSIBLE, key=lambda encoding: -scores[encoding])
    return [encoding for encoding in ranked if encoding not in _ANY_BYTES or scores[encoding] > _SURE_OF_ANY]


def _word(text: str) -> str:
    found = re.search(r"[^\s,;|\t\"]{0,12}[^\x00-\x7f][^\s,;|\t\"]{0,12}", text)
    return found[0] if found else ""


def _neighbors(text: str, place: int) -> tuple[str, str]:
    return text[place - 1 : place] if place else "", text[place + 1 : place + 2]


def _east_asian(encoding: str, share: Callable[[bytes], float]) -> Callable[[str, int], float]:
    """How plausible a character of two bytes is: by the frequency of its row, and not alone among Latin letters."""

    def plausible(text: str, place: int) -> float:
        before, after = _neighbors(text, place)
        own = text[place].encode(encoding, errors="ignore")
        if len(own) != 2 or "\uff61" <= text[place] <= "\uff9f":
            return 0.0
        alone = not any(ord(other) > 127 for other in (before, after) if other)
        if alone and any(_ASCII_LETTER.match(other) for other in (before, after)):
            return 0.0
        return share(own)

    return plausible


def _gb_share(own: bytes) -> float:
    lead, trail = own
    return 0.0 if trail < 0xA1 else 1.0 if lead <= 0xA3 or 0xB0 <= lead <= 0xD7 else 0.5 if lead <= 0xF7 else 0.0


def _big5_share(own: bytes) -> float:
    return 1.0 if 0xA1 <= own[0] <= 0xC6 else 0.3


def _euc_jp_share(own: bytes) -> float:
    return 1.0 if own[0] in (0xA1, 0xA4, 0xA5) or 0xB0 <= own[0] <= 0xCF else 0.3


def _shift_jis_share(own: bytes) -> float:
    return 1.0 if 0x81 <= own[0] <= 0x97 else 0.3


def _euc_kr_share(own: bytes) -> float:
    return 1.0 if 0xB0 <= own[0] <= 0xC8 else 0.2


def _alphabet(first: str, last: str) -> Callable[[str, int], float]:
    """How plausible a letter of another alphabet than the Latin one is: beside its like, and no capital within a
    word."""

    def plausible(text: str, place: int) -> float:
        before, after = _neighbors(text, place)
        own = text[place]
        if not first <= own <= last:
            return 0.5 if own in "№«»–—" else 0.0
        near = [other for other in (before, after) if first <= other <= last]
        if not near or any(_ASCII_LETTER.match(other) for other in (before, after)):
            return 0.0
        if own.isupper() and before.islower():
            return 0.0
        return 1.0 if own.islower() or not after.isalpha() or after.islower() or before.isupper() or not before else 0.5

    return plausible


def _latin(text: str, place: int) -> float:
    before, after = _neighbors(text, place)
    own = text[place]
    near = [other for other in (before, after) if other and other.isalpha()]
    if own.isalpha() and own not in "ªº":
        if own.isupper() and before.islower():
            return 0.1
        if any(_ASCII_LETTER.match(other) for other in near):
            return 1.0
        return 0.5
    if own in "¿¡" and after.isalpha() and not before.isalpha():
        return 1.0
    return (0.3 if near and own in "²³¼½¿¡·" else 0.8) if own in _SIGNS else 0.0


# The first of equals is taken.
_PLAUSIBLE: dict[str, Callable[[str, int], float]] = {
    "cp1252": _latin,
    "gb18030": _east_asian("gb18030", _gb_share),
    "big5": _east_asian("big5", _big5_share),
    "shift_jis": _east_asian("shift_jis", _shift_jis_share),
    "euc_kr": _east_asian("euc_kr", _euc_kr_share),
    "euc_jp": _east_asian("euc_jp", _euc_jp_share),
    "cp1251": _alphabet("Ѐ", "ӿ"),
    "koi8_r": _alphabet("Ѐ", "ӿ"),
    "cp866": _alphabet("Ѐ", "ӿ"),
    "cp1253": _alphabet("Ͱ", "Ͽ"),
    "cp1250": _latin,
    "mac_roman": _latin,
    "cp850": _latin,
}

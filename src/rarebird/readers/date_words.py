"""Words and marks of dates in many languages, and of many programs -> one spelling: 31 Jan 2024 10:30."""

from __future__ import annotations

import re

# Months in English, German, French, Spanish, Italian, Portuguese, Dutch, Russian, Polish, Turkish and Swedish, by their
# first letters.
_MONTHS = (
    ("jan", "jän", "ene", "gen", "янв", "sty", "oca"),
    ("feb", "fév", "fev", "фев", "lut", "şub"),
    ("mar", "mär", "maa", "mrt", "мар"),
    ("apr", "avr", "abr", "апр", "kwi", "nis"),
    ("may", "mai", "mei", "mag", "мая", "май", "maj"),
    ("jun", "juin", "giu", "июн", "cze", "haz"),
    ("jul", "juil", "lug", "июл", "lip", "tem"),
    ("aug", "aoû", "aou", "ago", "авг", "sie", "ağu"),
    ("sep", "set", "сен", "wrz", "eyl"),
    ("oct", "okt", "ott", "out", "окт", "paź", "eki"),
    ("nov", "ноя", "lis", "kas"),
    ("dec", "dez", "déc", "dic", "дек", "gru", "ara"),
)
_ENGLISH = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WORD = re.compile(r"[^\W\d_]{3,}\.?")
# The day of the week, before the date or in parentheses behind it.
_WEEKDAY = re.compile(r"^([^\W\d_]{2,10})\.?,? (?=\d|[^\W\d_]{3,10}\.? \d)|\([^\W\d_]{1,3}\)")
# What is written otherwise -> as `FORMATS` of dates have it.
_OTHERWISE = (
    (re.compile(r"(?<=\d)(?:st|nd|rd|th)\b"), ""),
    (re.compile(r" ?(?:UTC|GMT)$"), ""),
    (re.compile(r" ?\b([aApP])\. ?[mM]\.?$"), r" \1m"),
    (re.compile(r"(?<=\d)(?=[aApP][mM]$)"), " "),
    (re.compile(r"(?<= \d\d)h(?=\d\d)|(?<= \d)h(?=\d\d)"), ":"),
    (re.compile(r", (?=\d{1,2}:\d\d)"), " "),
    (re.compile(r"^(\d{4})년 ?(\d{1,2})월 ?(\d{1,2})일"), r"\1年\2月\3日"),
    (re.compile(r"^(\d{4})\. ?(\d{1,2})\. ?(\d{1,2})\.?(?!\d)"), r"\1.\2.\3"),
    (re.compile(r"^(\d{1,2})([^\W\d_]{3,})(\d{4})(?::(?=\d))?"), r"\1-\2-\3 "),
    (re.compile(r"^(\w{3} \d{1,2}) (\d\d:\d\d:\d\d) (\d{4})$"), r"\1 \3 \2"),
)


def plain(cell: str) -> str:
    """A date with its month in English, without the day of the week, ordinals, the point after a day, "de", and an
    apostrophe before the year.

    >>> [plain(cell) for cell in ("31. Januar 2024", "Wed, 31st January 2024", "31JAN2024:10:30:00", "May '23")]
    ['31 Jan 2024', '31 Jan 2024', '31-Jan-2024 10:30:00', 'May -23']
    >>> [plain(cell) for cell in ("2024. 1. 31.", "Wed Jan 31 10:30:00 2024", "31/01/2024 10h30")]
    ['2024.1.31', 'Jan 31 2024 10:30:00', '31/01/2024 10:30']
    """
    weekday = _WEEKDAY.search(cell)
    if weekday and (weekday[1] is None or _month(weekday[1]) is None):
        cell = cell[: weekday.start()] + cell[weekday.end() :]
    text = _WORD.sub(lambda part: part[0].rstrip(".") if (month := _month(part[0])) is None else month, cell)
    text = re.sub(r"(?<=\d)\. (?=[^\W\d_])| de ", " ", text).replace(" de ", " ").replace("'", "-")
    for otherwise, usual in _OTHERWISE:
        text = otherwise.sub(usual, text)
    return text.strip()


def _month(word: str) -> str | None:
    """The English name of a month, which the first letters of a word tell; None if it is none."""
    folded = word.rstrip(".").casefold()
    place = next((place for place, names in enumerate(_MONTHS) if folded.startswith(names)), None)
    return None if place is None else _ENGLISH[place]

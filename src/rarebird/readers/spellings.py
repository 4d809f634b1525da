"""Words in tables: those that mean a missing value, yes or no, and spellings of one label."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

# A cell that means a missing value in every column, in upper or lower case.
MISSING: tuple[str, ...] = (
    *("", "?", "na", "n/a", "#n/a", "#na", "<na>", "nan", "nat", "null", "none", "-"),
    *("#div/0!", "#value!", "#ref!", "#name?", "#num!", "#null!", "#n/a n/a", "(null)", "n.a."),
)
# A cell that means a missing value only where the other cells are numbers, dates or yes and no; elsewhere it is text.
MISSING_AMONG_VALUES: tuple[str, ...] = (
    *(".", "..", "...", "*", "**", "--", "---", "–", "—", "−", "/", "\\n"),
    *("missing", "unknown", "unk", "not available", "not applicable", "not recorded", "not known"),
    *("no data", "nodata", "n.d.", "nd", "n/d", "n.a", "nil", "empty", "blank", "undefined", "tbd"),
    *("unbekannt", "fehlt", "k.a.", "k. a.", "inconnu", "manquant", "desconocido", "s/d", "sconosciuto"),
    *("0000-00-00", "0000-00-00 00:00:00", "00/00/0000", "00.00.0000", "00-00-0000"),
    *("onbekend", "brak", "未知", "缺失", "无", "不明", "不詳", "欠損"),
)

# Words of one meaning; a column is yes and no where all its words are of one line.
_TRUTHS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("true", "t"), ("false", "f")),
    (("yes", "y"), ("no", "n")),
    (("ja", "j"), ("nein", "n")),
    (("ja",), ("nee",)),
    (("ja",), ("nej",)),
    (("ja",), ("nei",)),
    (("oui",), ("non",)),
    (("vrai",), ("faux",)),
    (("wahr",), ("falsch",)),
    (("sí", "si"), ("no",)),
    (("sì", "si"), ("no",)),
    (("sim",), ("não", "nao")),
    (("verdadero",), ("falso",)),
    (("verdadeiro",), ("falso",)),
    (("vero",), ("falso",)),
    (("tak",), ("nie",)),
    (("ano",), ("ne",)),
    (("evet",), ("hayır", "hayir")),
    (("да",), ("нет",)),
    (("истина",), ("ложь",)),
    (("是",), ("否",)),
    (("真",), ("假",)),
    (("有",), ("無", "无")),
    (("はい",), ("いいえ",)),
    (("예",), ("아니오", "아니요")),
    (("on",), ("off",)),
)
_ONE, _ZERO = ("1", "1.0"), ("0", "0.0")
MOST_WORDS = 12
# Signs without a width, which programs leave in texts: byte-order marks, joiners of words, marks of direction.
INVISIBLE = "[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]"
# Shorter labels are codes, such as the genotypes "Aa" and "AA", in which the case may matter.
_SHORTEST_WORD = 3


def truths(words: Iterable[str]) -> dict[str, bool] | None:
    """The meaning of each word if all are yes and no in one language; both must occur, or "true" or "false".

    Args:
        words: The distinct texts of a column, without missing ones.

    Returns:
        Word as it is written -> meaning; None if they are something else.
    """
    spelled = dict(zip(listed := list(words), map(folded, listed), strict=True))
    given = set(spelled.values())
    if not 1 <= len(given) <= MOST_WORDS:
        return None
    for yes, no in _TRUTHS:
        worded = given - {*_ONE, *_ZERO}
        if not worded or not worded <= {*yes, *no}:
            continue
        # One word alone tells nothing, except of these two; and a single letter is no word beside 1 and 0.
        both = given & {*yes, *_ONE} and given & {*no, *_ZERO}
        if both or worded <= {"true", "false"}:
            return {word: folded_word in {*yes, *_ONE} for word, folded_word in spelled.items()}
    return None


def truth(word: str) -> bool | None:
    """Whether a word means yes or no in any language; None if it means neither."""
    text = folded(word)
    if text in _ONE or any(text in yes for yes, _ in _TRUTHS):
        return None if any(text in no for _, no in _TRUTHS) else True
    return False if text in _ZERO or any(text in no for _, no in _TRUTHS) else None


def plain(text: str) -> str:
    """A text in composed letters (NFC), without signs that nobody sees."""
    return text if text.isascii() else re.sub(INVISIBLE, "", unicodedata.normalize("NFC", text))


def folded(text: str) -> str:
    """A text without differences of case, blanks, composed letters and signs that nobody sees."""
    return " ".join(plain(text).casefold().split())


def as_whole(text: str) -> str:
    """A whole number without its empty decimals, any other text unchanged, so that 1.0 is the label 1.

    >>> as_whole("1.0"), as_whole("1.50"), as_whole("a.0")
    ('1', '1.50', 'a.0')
    """
    return text.partition(".")[0] if re.fullmatch(r"[+-]?\d{1,15}\.0+", text) else text


def one_spelling(counts: Mapping[str, int]) -> tuple[dict[str, str], list[str]]:
    """Labels that differ only by case or blanks, as one.

    Args:
        counts: Label as it is written -> its rows.

    Returns:
        Label as it is written -> the label that it is an instance of, in the style that has the most rows; and the
        short labels that differ by case, and are kept apart.
    """
    alike: dict[str, list[str]] = {}
    for label in counts:
        alike.setdefault(folded(label), []).append(label)
    styles = Counter[str]()
    for labels in alike.values():
        styles.update({_style(label): counts[label] for label in labels if len(labels) > 1})
    place: dict[str, str] = {}
    kept: list[str] = []
    for text, labels in alike.items():
        word = len(text) >= _SHORTEST_WORD or truth(text) is not None
        apart = [labels] if word else _by_blanks(labels)
        for same in apart:
            best = max(same, key=lambda label: (styles[_style(label)], counts[label], label))
            place |= dict.fromkeys(same, " ".join(best.split()))
        if len(apart) > 1:
            kept += [same[0] for same in apart]
    return place, kept


def one_meaning(place: Mapping[str, str], counts: Mapping[str, int]) -> dict[str, str]:
    """Labels of yes and no in several words of one language (yes, Y and 1) as the two classes that they mean, each in
    its longest word, and of these in that of most rows.

    Args:
        place: Label as it is written -> its one spelling.
        counts: Label as it is written -> its rows.

    Returns:
        Label as it is written -> class; empty where the labels are something else, or two words already.
    """
    words = set(place.values())
    meanings = truths(words) if len(words) > 2 else None
    if meanings is None:
        return {}
    rows = Counter[str]()
    for text, word in place.items():
        rows[word] += counts[text]

    def best(meaning: bool) -> str:
        return max(
            (word for word in words if meanings[word] is meaning), key=lambda word: (len(word), rows[word], word)
        )

    name = {meaning: best(meaning) for meaning in set(meanings.values())}
    return {text: name[meanings[word]] for text, word in place.items()}


def _style(label: str) -> str:
    """How a label uses the case; all labels are named in the style that has the most rows."""
    return "lower" if label.islower() else "upper" if label.isupper() else "other"


def _by_blanks(labels: Sequence[str]) -> list[list[str]]:
    parts: dict[str, list[str]] = {}
    for label in labels:
        parts.setdefault(" ".join(label.split()), []).append(label)
    return list(parts.values())


def loose(text: str) -> str:
    """A text without differences of case, blanks, dashes, and of quotes and points at its ends.

    >>> loose("<=50K."), loose("'Type\u20131'")
    ('<=50k', 'type-1')
    """
    return re.sub("[\u2010-\u2015\u2212]", "-", folded(text)).strip(" .,;'\"`\u2018\u2019\u201c\u201d\u00b4")


def nearest_known(known: Sequence[str], key: Callable[[str], str] = folded) -> Mapping[str, str]:
    """Folded text -> the known text that alone is spelled so; a new spelling of a known category is looked up here.

    Args:
        known: The texts.
        key: `folded`, or `loose` for more differences.
    """
    counts = Counter(key(text) for text in known)
    return {key(text): text for text in known if counts[key(text)] == 1}


def _number(text: str) -> float | None:
    try:
        return float(text.replace("\u2212", "-"))
    except ValueError:
        return None


def among(word: str, classes: Sequence[str]) -> str | None:
    """The class that a label means, written in another case, with other blanks, as 1.0, or as yes and no where the
    classes are that; None if it means none of them.

    Args:
        word: The label as it is written.
        classes: As the training rows have them.
    """
    if word in classes:
        return word
    if (whole := as_whole(word.strip())) in classes:
        return whole
    if (near := nearest_known(classes).get(folded(word)) or nearest_known(classes, loose).get(loose(word))) is not None:
        return near
    if (number := _number(word)) is not None:
        same = [label for label in classes if _number(label) == number]
        if len(same) == 1:
            return same[0]
    meanings = {truth(label): label for label in classes} if len(classes) == 2 else {}
    return meanings.get(truth(word)) if set(meanings) == {True, False} else None

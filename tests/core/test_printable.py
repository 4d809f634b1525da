"""Names from files: what is shown cannot command a terminal, what is written cannot be a formula."""

from __future__ import annotations

import pytest

from rarebird.core.printable import printable, safe_cell, shortened


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, ü, 猫, क्ष, 👩‍🔬", None),
        ("two\nlines\tand a tab", None),
        ("می‌خواهم", None),  # with a joiner that the language needs
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x9b31m", "\\x9b31m"),
        ("over\rwritten", "over\\rwritten"),
        ("bell\x07 back\b", "bell\\x07 back\\x08"),
        ("gpj.\u202eexe", "gpj.\\u202eexe"),
        ("half \ud800", "half \\ud800"),
        ("line\u2028line", "line\\u2028line"),
    ],
)
def test_control_characters_are_written_out_and_all_else_stays(text: str, shown: str | None) -> None:
    assert printable(text) == (text if shown is None else shown)
    printable(text).encode("utf-8")


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-cmd|' /C calc'!A0", "@SUM(1)", "\t=1", "\r=1", "-", "- 1", "+-1"])
def test_formulas_get_an_apostrophe(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "a=1", "-1", "+1.5e3", "-inf", "1-2", "'=1"])
def test_numbers_and_other_texts_stay(text: str) -> None:
    assert safe_cell(text) == text


def test_long_words_are_cut_in_the_middle() -> None:
    cut = shortened(f"There is no column {'a' * 5000}; name one.")
    assert cut == f"There is no column {'a' * 60}…{'a' * 59}; name one."
    path = "/a/path/" + "x" * 200
    assert shortened(path) == path

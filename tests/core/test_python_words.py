"""Flags become keywords in messages for Python code."""

from __future__ import annotations

import pytest

from rarebird.core.checks import DataError
from rarebird.core.python_words import in_python_words, python_words


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("name it with --groups-pattern.", "name it with `groups_pattern`."),
        ("give --set image_size=192.", "give `settings={'image_size': 192}`."),
        ("as in --set loss=focal, or", "as in `settings={'loss': 'focal'}`, or"),
        ("such as --budget 1m.", "such as `budget='1m'`."),
        ("a -- b has no flag", "a -- b has no flag"),
    ],
)
def test_flags_become_keywords(sentence: str, expected: str) -> None:
    assert python_words(sentence) == expected


def test_only_errors_of_the_data_are_reworded() -> None:
    def fail(error: Exception) -> None:
        raise error

    with pytest.raises(DataError, match="`target`"):
        in_python_words(fail)(DataError("give --target"))
    with pytest.raises(ValueError, match="--target"):
        in_python_words(fail)(ValueError("--target"))

"""Checks: messages that state the rule and the value, and the nearest valid name."""

from __future__ import annotations

import pytest

from rarebird.core.checks import DataError, nearest, require, some


def test_a_rule_that_holds_is_silent() -> None:
    require(True, "gamma >= 0", gamma=1)


def test_a_broken_rule_is_stated_with_its_values() -> None:
    with pytest.raises(ValueError, match=r"^`0 <= low <= high` must hold, but got low=3, high='x'\.$"):
        require(False, "0 <= low <= high", low=3, high="x")


def test_data_errors_are_value_errors() -> None:
    assert issubclass(DataError, ValueError)


@pytest.mark.parametrize(
    ("name", "valid", "tail"),
    [
        ("focl", ["weighted", "focal"], "did you mean 'focal'?"),
        ("xyz", ["weighted", "focal"], "valid names are focal, weighted."),
        ("xyz", [], "there are none."),
        ("类别二", ["类别一"], "did you mean '类别一'?"),
    ],
)
def test_nearest_name_or_all_of_them(name: str, valid: list[str], tail: str) -> None:
    assert nearest(name, valid) == tail


def test_enumerations_are_cut() -> None:
    assert some([1, 2]) == "1, 2"
    assert some(range(8)) == "0, 1, 2, 3, 4 and 3 more"
    assert some("abc", most=1) == "a and 2 more"
    assert some([]) == ""

"""Questions to many cases: each is asked, the one that fails is named, and further parameters reach the question."""

from __future__ import annotations

import pytest

from tests.contracts.asked import asked_of


def test_every_case_is_asked_and_the_one_that_fails_is_named() -> None:
    seen = []

    @asked_of([("one", 1), ("two", 2), ("three", 3)])
    def question(case: int, most: int) -> None:
        seen.append(case)
        assert case < most

    question(most=4)
    assert seen == [1, 2, 3]
    with pytest.raises(AssertionError) as caught:
        question(most=2)
    assert caught.value.__notes__ == ["The case is two."]


def test_without_cases_or_with_one_name_twice_there_is_no_test() -> None:
    for cases in ([], [("a", 1), ("a", 2)]):
        with pytest.raises(ValueError, match="there must be some"):
            asked_of(cases)


@pytest.mark.parametrize("more", ["b", "c"])
@asked_of([("a", "a")])
def test_parameters_of_a_test_go_with_each_case(case: str, more: str) -> None:
    assert (case, more) in {("a", "b"), ("a", "c")}

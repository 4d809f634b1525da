"""One test that puts a question to many cases, in place of a test for each: the case that fails is named."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any


def asked_of(cases: Iterable[tuple[str, Any]]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator of ``question(case, ...)``: the test asks all cases, whose names are unique; further parameters stay
    those of the test.

    Raises:
        ValueError: There are no cases, or two have one name.
    """
    named = dict(given := list(cases))
    if not given or len(named) < len(given):
        raise ValueError(f"cases must have names of their own, and there must be some, but got {list(named)}.")

    def decorate(question: Callable[..., None]) -> Callable[..., None]:
        def test(**more: Any) -> None:
            for name, case in named.items():
                try:
                    question(case, **more)
                except BaseException as error:
                    error.add_note(f"The case is {name}.")
                    raise

        signature = inspect.signature(question)
        test.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=list(signature.parameters.values())[1:]
        )
        test.__name__, test.__doc__, test.__module__ = question.__name__, question.__doc__, question.__module__
        return test

    return decorate

"""Messages for those who call Python code: options are keywords there, and not flags of a command line."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from rarebird.core.checks import DataError

_ASSIGNMENT = re.compile(r"--set ([\w.]+)=(\[[^]]*\]|[\w+-]+(?:\.[\w+-]+)*)")
_VALUED = re.compile(r"--([a-z][a-z-]*) (\d\w*)")
_FLAG = re.compile(r"--([a-z][a-z-]*)")

Parameters = ParamSpec("Parameters")
Returned = TypeVar("Returned")


def python_words(sentence: str) -> str:
    """A sentence with keywords in place of flags.

    >>> python_words("name the column with --groups-pattern, or give --set image_size=192 and --budget 1m")
    "name the column with `groups_pattern`, or give `settings={'image_size': 192}` and `budget='1m'`"
    """
    named = _VALUED.sub(lambda found: f"`{_keyword(found)}={found[2]!r}`", _ASSIGNMENT.sub(_setting, sentence))
    return _FLAG.sub(lambda found: f"`{_keyword(found)}`", named)


def in_python_words(function: Callable[Parameters, Returned]) -> Callable[Parameters, Returned]:
    """A function whose `DataError` speaks of keywords."""

    @functools.wraps(function)
    def wrapped(*arguments: Parameters.args, **keywords: Parameters.kwargs) -> Returned:
        try:
            return function(*arguments, **keywords)
        except DataError as error:
            sentence = python_words(str(error))
            if sentence == str(error):
                raise
            raise DataError(sentence) from None

    return wrapped


def _keyword(found: re.Match[str]) -> str:
    return found[1].replace("-", "_")


def _setting(found: re.Match[str]) -> str:
    value = found[2] if re.fullmatch(r"[\d.+-]+", found[2]) else repr(found[2])
    return f"`settings={{{found[1]!r}: {value}}}`"

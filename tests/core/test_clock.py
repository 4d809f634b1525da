"""Budgets in words, and the moment a process began."""

from __future__ import annotations

import time

import pytest

from rarebird.core import clock
from rarebird.core.checks import DataError
from rarebird.core.clock import Clock, process_start, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), (" 2h ", 7200), ("1d", 86400), ("0.5", 0.5)]
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["0", "0s", "-5", "", "5 min", "1e3", "nan", "inf", "s", "9" * 400])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="A budget is a time above 0"):
        seconds_of(text)


def test_a_deadline_is_the_budgets_end_less_the_reserve() -> None:
    assert Clock(60, start=100).deadline(reserve=4) == 156
    assert Clock(None, start=100).deadline(reserve=4) is None
    began = Clock(5)
    assert 0 <= began.elapsed() < 1


def test_the_process_began_before_this_module_and_not_long_before() -> None:
    assert process_start() <= clock._IMPORTED
    assert clock._IMPORTED - process_start() <= clock._LONGEST_START


def test_a_start_on_another_clock_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the start is counted otherwise than the time since boot, a run would think its budget spent before it
    began."""
    real = time.clock_gettime
    monkeypatch.setattr(time, "clock_gettime", lambda which: real(which) + 1e6)
    assert process_start() == clock._IMPORTED
    monkeypatch.setattr(time, "clock_gettime", lambda which: real(which) - 1e6)
    assert process_start() == clock._IMPORTED

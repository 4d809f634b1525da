"""Budgets in words, deadlines, and the moment a process began."""

from __future__ import annotations

import time

import pytest

from rarebird.core import clock
from rarebird.core.checks import DataError
from rarebird.core.clock import Clock, end_of_share, process_start, seconds_of, timed


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), (" 2h ", 7200), ("1d", 86400), ("0.5", 0.5)]
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["0", "0s", "-5", "", "5 min", "1e3", "nan", "inf", "s", "9" * 400])
def test_text_that_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="A budget is a time above 0"):
        seconds_of(text)


def test_training_ends_before_the_budget_does() -> None:
    assert Clock(100, start=1000).training_deadline() == pytest.approx(1000 + 100 - 0.02 * 100 - 4)
    assert Clock(None, start=1000).training_deadline() is None
    assert 0 <= Clock(5).elapsed() < 1


def test_an_early_end_is_one_that_leaves_much_of_the_budget() -> None:
    assert Clock(100, start=time.monotonic() - 10).ends_early()
    assert not Clock(100, start=time.monotonic() - 90).ends_early()
    assert not Clock(None).ends_early()


def test_a_block_is_timed_under_its_name() -> None:
    timings: dict[str, float] = {}
    with timed(timings, "wait"):
        time.sleep(0.01)
    assert 0.01 <= timings["wait"] < 1


def test_the_process_began_before_this_module_and_not_long_before() -> None:
    assert process_start() <= clock._IMPORTED
    assert clock._IMPORTED - process_start() <= clock._LONGEST_START


def test_a_start_on_another_clock_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the system counts the start on another scale, a run would otherwise find its budget used up at the start."""
    real = time.clock_gettime
    monkeypatch.setattr(time, "clock_gettime", lambda which: real(which) + 1e6)
    assert process_start() == clock._IMPORTED
    monkeypatch.setattr(time, "clock_gettime", lambda which: real(which) - 1e6)
    assert process_start() == clock._IMPORTED


def test_the_time_to_a_deadline_is_shared_equally() -> None:
    assert end_of_share(130.0, 100.0, 3) == 110.0
    assert end_of_share(130.0, 100.0, 1) == 130.0
    assert end_of_share(90.0, 100.0, 3) == 100.0
    assert end_of_share(None, 100.0, 3) is None

"""Dates as programs and languages write them, learned as one column each."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from rarebird.readers import dates

DAYS = pd.date_range("2022-01-01", periods=40, freq="13D")
POLISH = [
    "stycznia",
    "lutego",
    "marca",
    "kwietnia",
    "maja",
    "czerwca",
    "lipca",
    "sierpnia",
    "września",
    "października",
    "listopada",
    "grudnia",
]


def learned(texts: list[str]) -> dates.Dates | None:
    return dates.found(pa.array(texts), np.ones(len(texts)), None)


@pytest.mark.parametrize(
    "form",
    [
        *("%d%b%Y", "%d%b%Y:00:00:00", "%a, %d %b %Y", "%a, %d %b %Y 00:00:00 GMT", "%a %b %d 00:00:00 %Y"),
        *("%Y-%m-%d 00:00:00 UTC", "%d/%m/%Y 00h00", "%d/%m/%Y, 00:00:00", "%m/%d/%Y 12:00AM", "%d/%m/%Y 12:00 a.m."),
        *("%Y. %m. %d.", "%Y년 %m월 %d일", "%Y年%m月%d日(月)", "%y-%m-%d", "%dth %B %Y"),
    ],
)
def test_what_programs_write(form: str) -> None:
    found = learned([day.strftime(form) for day in DAYS])
    assert found is not None
    assert found.values.tolist() == DAYS.tolist()


def test_months_in_another_language() -> None:
    found = learned([f"{day.day} {POLISH[day.month - 1]} {day.year}" for day in DAYS])
    assert found is not None
    assert found.values.tolist() == DAYS.tolist()


def test_two_formats_of_which_one_is_iso() -> None:
    found = learned([day.strftime("%d.%m.%Y" if place % 2 else "%Y-%m-%d") for place, day in enumerate(DAYS)])
    assert found is not None
    assert (found.form, found.values.tolist()) == ("%d.%m.%Y", DAYS.tolist())
    assert learned([day.strftime("%d/%m/%Y" if place % 2 else "%m/%d/%Y") for place, day in enumerate(DAYS)]) is None


def test_short_years_come_last_where_the_first_part_is_of_days() -> None:
    found = learned([day.strftime("%d-%m-%y") for day in DAYS])
    assert found is not None
    assert (found.form, found.values.tolist()) == ("%d-%m-%y", DAYS.tolist())


@pytest.mark.parametrize("text", ["Room 12", "Summer 2023", "B. 12. 3", "12 men 2020", "18th", "Q1 2022"])
def test_what_is_no_date(text: str) -> None:
    assert learned([text] * 3) is None

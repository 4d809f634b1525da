"""What `prepare` learns of the rows of a part is learned once, and of other rows anew."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rarebird.data import prepare
from rarebird.data.dataset import Frame
from rarebird.training import preparation
from tests.training.made_rows import rows


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    counted: list[int] = []
    fit = prepare.fit
    monkeypatch.setattr(preparation.prepare, "fit", lambda train, seed: counted.append(len(train)) or fit(train, seed))
    return counted


def test_the_same_rows_are_prepared_once(calls: list[int]) -> None:
    data = rows(60)
    part = np.arange(0, 60, 2)
    first = preparation.prepared(data.take(part), 0)
    again = preparation.prepared(data.take(part.copy()), 0)
    assert calls == [30]
    assert again == first == prepare.fit(data.take(part), 0)


def test_other_rows_are_prepared_anew(calls: list[int]) -> None:
    data = rows(60)
    assert isinstance(data.source, Frame)
    preparation.prepared(data, 0)
    others = [
        data.take(np.arange(59)),
        replace(data, weight=np.arange(60.0)),
        replace(data, y=1 - data.codes),
        replace(data, name="other"),
        replace(data, source=Frame(data.source.frame.copy())),
    ]
    for other in others:
        assert preparation.prepared(other, 0) == prepare.fit(other, 0)
    preparation.prepared(data, 1)
    assert len(calls) == 2 * len(others) + 2


def test_few_parts_are_remembered(calls: list[int]) -> None:
    data = rows(60)
    for end in range(20, 20 + preparation.MOST + 1):
        preparation.prepared(data.take(np.arange(end)), 0)
    assert len(preparation._known) == preparation.MOST

"""A late model: the quickest entry, or else a reference where rows are prepared in a moment."""

from __future__ import annotations

from typing import Any

import pytest

from rarebird.automl import late_entry
from rarebird.automl.late_entry import train_late
from rarebird.automl.portfolio import PortfolioEntry
from rarebird.core.checks import LateError
from rarebird.recipe.recipe import Recipe

NETWORK = PortfolioEntry("network", Recipe(kind="table", network="mlp"), role="default")
TREES = PortfolioEntry("trees", Recipe(kind="table", network="mlp", reference="extra_trees"), is_reference=True)


class SlowRace:
    """A race in which networks are late, and by how many seconds that is found."""

    def __init__(self, seconds: float) -> None:
        self.late, self.ran, self.seconds, self.now = {"network"}, [], seconds, 0.0

    def run(self, entries: list[PortfolioEntry]) -> None:
        self.ran += [entry.name for entry in entries]
        assert all(entry.must for entry in entries)
        self.now += self.seconds
        if not entries[0].is_reference:
            raise LateError("The shortest training takes too long.")


def test_a_reference_is_trained_late_only_where_rows_are_prepared_in_a_moment(monkeypatch: Any) -> None:
    """400 rows of 20,000 columns took 48 s of a budget of 20 s, as each training prepared them for seconds."""
    quick, slow = SlowRace(0.5), SlowRace(5.0)
    monkeypatch.setattr(late_entry.time, "monotonic", lambda: quick.now + slow.now)
    train_late(quick, [NETWORK, TREES])  # type: ignore[arg-type]
    assert quick.ran == ["network", "trees"]
    with pytest.raises(LateError):
        train_late(slow, [NETWORK, TREES])  # type: ignore[arg-type]
    assert slow.ran == ["network"]

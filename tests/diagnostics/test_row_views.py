"""Rows as a page shows them: a table's cells in the user's own values, and a mark on each cell that changed."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rarebird.data import prepare
from rarebird.data.dataset import Dataset, Frame
from rarebird.diagnostics.row_views import changed_view, originals
from rarebird.training.batches import ready
from rarebird.training.device import Placement


def table() -> Dataset:
    frame = pd.DataFrame(
        {
            "age": [20.0, 30.0, np.nan, 50.0, 60.5, 70.0],
            "city": ["a", "b", "a", None, "b", "a"],
            "day": pd.Timestamp("2024-03-01") + pd.to_timedelta(np.arange(6), "D"),
        }
    )
    y = np.array([0, 1, 0, 1, 0, 1])
    return Dataset("table", "classification", Frame(frame), np.arange(6), y, ("no", "yes"), np.arange(6).astype(str))


def test_cells_are_the_users_own_values_with_a_dash_for_missing_ones() -> None:
    data = table()
    prepared, _ = prepare.fit(data, 0)
    assert prepared.table is not None
    places = {column.name: place for place, column in enumerate(prepared.table.columns)}
    views = originals(data, prepared)
    assert [view.target for view in views] == ["no", "yes", "no", "yes", "no", "yes"]
    assert [view.cells[places["age"]] for view in views] == ["20", "30", "–", "50", "60.5", "70"]
    assert [view.cells[places["city"]] for view in views] == ["a", "b", "a", "–", "b", "a"]
    assert views[1].cells[places["day"]] == "2024-03-02"


def test_only_changed_cells_are_marked_and_a_mixed_target_names_its_shares() -> None:
    data = table()
    prepared, _ = prepare.fit(data, 0)
    assert prepared.table is not None
    places = {column.name: place for place, column in enumerate(prepared.table.columns)}
    x = ready(prepared.inputs(data), Placement("cpu", "float32", False))
    changed = {name: part.clone() for name, part in x.items()}
    changed["categories"][0] = x["categories"][1]
    target = 0.75 * prepared.targets(data)[0] + 0.25 * prepared.targets(data)[1]
    original = originals(data, prepared)[0]
    view = changed_view(prepared, 0, original, x, changed, target)
    assert (view.target, view.target_changed) == ("75 % no + 25 % yes", True)
    assert [name for name, place in places.items() if view.changed[place]] == ["city"]
    assert view.cells[places["city"]] == "b"
    assert view.cells[places["age"]] == original.cells[places["age"]]

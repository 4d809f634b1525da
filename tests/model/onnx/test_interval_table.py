"""A loader's intervals are the model's: on the same rows, for any coverage, from what JSON holds."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from rarebird.model.conformal import value_intervals
from rarebird.model.held_out_rows import HeldOutRows
from rarebird.model.onnx import interval_table as tables
from rarebird.model.onnx.interval_table import interval_table
from rarebird.model.onnx.loaders.outputs import named

N = 900
SETTINGS: dict[str, dict[str, Any]] = {
    "alone": {},
    "members": {"member": np.arange(N) % 3},
    "groups": {"group": np.arange(N) // 3},
    "weights": {"weight": np.where(np.arange(N) % 5 == 0, 0.0, 1.5)},
}


def held_out(**more: Any) -> HeldOutRows:
    """Errors that grow with the prediction."""
    rng = np.random.default_rng(0)
    predicted = rng.uniform(0, 10, size=N)
    y = predicted + rng.normal(size=N) * (0.1 + predicted)
    return HeldOutRows(predicted[:, None], y, **({"weight": np.ones(N)} | more))


def told(held: HeldOutRows, each: list[np.ndarray], coverage: float) -> np.ndarray:
    about = json.loads(json.dumps({"classes": [], "intervals": interval_table(held)}))
    found: dict[str, Any] = {"value": np.mean(each, axis=0)[:, 0]}
    if len(each) > 1:
        found["members"] = np.concatenate(each, axis=1)
    ends: np.ndarray = named(about, found, coverage)["interval"]
    assert set(found) <= {"value", "interval"}
    return ends


@pytest.mark.parametrize("setting", SETTINGS)
def test_intervals_are_those_of_the_model(setting: str) -> None:
    held = held_out(**SETTINGS[setting])
    rng = np.random.default_rng(1)
    value, n = rng.uniform(-2, 12, size=(50, 1)), 3 if setting == "members" else 1
    each = [value + rng.normal(scale=0.02, size=(50, 1)) for _ in range(n)]
    for coverage in (0.3, 0.8, 0.95, 0.995):
        ends = told(held, each, coverage)
        np.testing.assert_allclose(ends, value_intervals(held, each, coverage), rtol=1e-12, atol=1e-12)
        assert bool((ends[:, 0] < ends[:, 1]).all())


def test_more_errors_than_a_file_keeps_make_intervals_wider_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MOST_VALUES", 50)
    held, each = held_out(), [np.linspace(0, 10, 40)[:, None]]
    for coverage in (0.5, 0.9):
        exact, wider = value_intervals(held, each, coverage), told(held, each, coverage)
        assert bool((wider[:, 0] <= exact[:, 0] + 1e-12).all())
        assert bool((wider[:, 1] >= exact[:, 1] - 1e-12).all())
        assert np.abs(wider - exact).max() < 0.1 * np.abs(exact[:, 1] - exact[:, 0]).max()


def test_a_coverage_that_cannot_be_promised_is_refused() -> None:
    few = held_out().where(np.arange(N) < 8)
    with pytest.raises(ValueError, match="needs 9 held-out rows; there are 8"):
        told(few, [np.zeros((1, 1))], 0.9)
    with pytest.raises(ValueError, match="between 0 and 1"):
        told(few, [np.zeros((1, 1))], 1.0)
    with pytest.raises(ValueError, match="keeps held-out rows"):
        named({"classes": []}, {"value": np.zeros(1)}, 0.9)
